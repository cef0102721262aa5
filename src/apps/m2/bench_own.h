// Our own side of `m2 bench`: a model in one dtype, and its timings at one shape.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "apps/m2/bench_result.h"
#include "inference/session.h"
#include "models/model.h"

namespace m2 {

// A model and the memory that it made resident, in bytes.
struct BenchModel {
  std::shared_ptr<const Model> model;
  int64_t bytes = 0;
};

// Of this process: what all models and sessions of a run hold, in bytes.
struct BenchMemory {
  int64_t held = 0;
};

// Texts and what is counted of them.
struct BenchWork {
  BenchShape shape;
  std::vector<TokenSequence> texts;
};

// `batch` texts of random ids, the same for every model of that vocabulary.
BenchWork random_work(const ModelConfig& config, int64_t length, int64_t batch);

// The texts of `path`, one a line or JSON lines as `m2 embed` reads them, each cut behind
// `most_tokens`. Errors of a line are Error(kInput) that names the file.
BenchWork document_work(const std::string& path, const std::string& tokenizer, const Model& model,
                        int64_t most_tokens);

// Timings in a session of their own: the first meets no spectra and no memory touched before.
class BenchRun {
 public:
  BenchRun(const BenchModel& model, const BenchWork& work, const VectorRequest& request,
           const SessionOptions& options, BenchMemory& memory);
  ~BenchRun();
  BenchRun(const BenchRun&) = delete;
  BenchRun& operator=(const BenchRun&) = delete;

  int threads() const { return session_.threads(); }
  void warm_up();  // the cell's first_seconds
  void time();     // oneDNN's rate, then one of the cell's seconds
  const BenchCell& cell() const { return cell_; }

 private:
  double compute();

  const BenchModel& model_;
  const BenchWork& work_;
  VectorRequest request_;
  BenchMemory& memory_;
  int64_t held_bytes_ = 0;  // by this session
  Session session_;
  PhaseSeconds warm_phases_{};
  BenchCell cell_;
};

// Memory of this process in bytes, as the system counts pages.
int64_t resident_memory();

}  // namespace m2
