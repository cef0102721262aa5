// What a request asks of a model, and what comes of it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "inference/session.h"
#include "serve/http/exchange.h"

namespace m2 {

class ServedModel;

// Of one sequence.
struct JobResult {
  size_t rows = 0;
  std::vector<float> values;  // [rows][vector_size], not normalised
  std::string error;          // why there are none
};

enum class JobEnd : uint8_t {
  kDone,     // every sequence has its result, or its error
  kTimeout,  // the deadline passed
  kGone,     // the client did not wait
  kStopped   // the server ends
};

// Sequences of one request. Whoever makes it fills the first part; then it belongs to the queue and
// the engine until finished() is called.
struct Job {
  ServedModel* model = nullptr;
  Pooling pooling = Pooling::kMean;
  std::vector<TokenSequence> sequences;
  std::vector<size_t> length_classes;  // one a sequence (ServedModel::length_class)
  ServeClock::time_point deadline = ServeClock::time_point::max();
  std::function<bool()> gone = [] { return false; };  // from any thread
  // Called once, on any thread, with all results there for JobEnd::kDone. Must not wait.
  std::function<void(const std::shared_ptr<Job>&, JobEnd)> finished;

  std::vector<JobResult> results;  // one a sequence
  ServeClock::time_point queued, started;

  size_t opening = 0;         // first sequence behind its opening (fair_queue.h)
  size_t opening_tokens = 0;  // computed ones, pads included
  size_t rest_tokens = 0;
  size_t next = 0;  // first sequence that was not taken
  size_t open = 0;  // sequences without a result
  size_t taken_tokens = 0;
  bool over = false;  // finished() was called
};

}  // namespace m2
