// Which sequences are computed next.
//
// A request's opening, its first sequences of up to one batch together, waits in the order of
// arrival. What a larger request has beyond its opening shares one half of the machine with the
// rest of other large requests, the least served first, as long as openings wait. So a short text
// waits for the batch being computed, for earlier openings and at most as much of large requests,
// never for the end of one; and a large request never stands still.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "serve/job.h"

namespace m2 {

// Tokens are computed ones, pads included, that wait or are in hand. Openings and rests are limited
// apart, so that large requests that wait keep no one else out.
struct QueueLimits {
  size_t tokens = size_t{1} << 16;          // of openings
  size_t backlog_tokens = size_t{1} << 20;  // of rests
  size_t batch_tokens = 2048;               // of sequences computed together; one may be longer
};

struct QueueTokens {
  size_t openings = 0;
  size_t rests = 0;
};

enum class Admission : uint8_t { kTaken, kFull, kBacklogFull, kTooLarge, kClosed };

// All functions are safe from any thread.
class FairQueue {
 public:
  explicit FairQueue(const QueueLimits& limits) : limits_(limits) {}

  const QueueLimits& limits() const { return limits_; }

  // Takes a job of at least one sequence; kTooLarge where the queue could never hold it.
  Admission add(const std::shared_ptr<Job>& job);

  struct Piece {
    std::shared_ptr<Job> job;
    size_t index = 0;  // of its sequences
  };
  // The next sequences to compute together, of one model and pooling; those of the first one's
  // length class before others, and no rests where the first is of an opening. Waits for some;
  // empty once closed and drained.
  std::vector<Piece> take();

  // Gives back a computed piece's room. True for the last one of a job that is not over: it is now,
  // and the caller calls its finished().
  bool complete(const Piece& piece);

  // A job that ended before its time; the caller calls finished(end).
  struct Dropped {
    std::shared_ptr<Job> job;
    JobEnd end = JobEnd::kGone;
  };
  // Takes out jobs whose client is gone or whose deadline passed, and gives back the room of what
  // is not in hand.
  std::vector<Dropped> drop_dead(ServeClock::time_point now);
  // Closes, and takes out all.
  std::vector<Dropped> drop_all();
  // Whether all of these pieces' jobs are over.
  bool unwanted(const std::vector<Piece>& pieces) const;

  // No more jobs; what waits is still given out.
  void close();
  // Waits until a job is there (true), or the queue is closed and has none (false).
  bool wait_for_jobs() const;

  QueueTokens tokens() const;  // waiting and in hand
  size_t jobs() const;         // not over

 private:
  using Lane = std::list<std::shared_ptr<Job>>;  // jobs with sequences that wait
  struct Place {
    Lane* lane = nullptr;
    Lane::iterator at;
  };
  template <class Accept>
  Place find(const Accept& accept);
  Piece take_piece(const Place& place);
  void give_back(const Job& job, size_t index);
  void end_job(const std::shared_ptr<Job>& job);

  const QueueLimits limits_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool closed_ = false;
  Lane jobs_;  // all that are not over
  Lane openings_, rests_;
  // Tokens given to openings beyond those given to rests, while both wait; at most a batch, so that
  // one long text is not made up for by many.
  int64_t openings_ahead_ = 0;
  QueueTokens tokens_;
};

}  // namespace m2
