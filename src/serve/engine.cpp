#include "serve/engine.h"

#include <chrono>
#include <cmath>
#include <exception>
#include <new>
#include <span>

#include "core/error.h"
#include "serve/served_model.h"

namespace m2 {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr double kRateMemory = 30;  // seconds
// How late a deadline or a closed connection may be noticed.
constexpr std::chrono::milliseconds kWatchPeriod{20};

}  // namespace

void DrainRate::add(size_t tokens, double seconds) {
  const std::lock_guard lock(mutex_);
  const double kept = std::exp(-seconds / kRateMemory);
  tokens_ = tokens_ * kept + static_cast<double>(tokens);
  seconds_ = seconds_ * kept + seconds;
}

double DrainRate::tokens_per_second() const {
  const std::lock_guard lock(mutex_);
  return seconds_ > 0 ? tokens_ / seconds_ : 0;
}

Engine::Engine(FairQueue& queue, std::function<void(const Batch&)> on_batch)
    : queue_(queue), on_batch_(std::move(on_batch)) {}

Engine::~Engine() {
  queue_.close();
}

void Engine::start() {
  computing_ = std::jthread([this] { run(); });
  watching_ = std::jthread([this] { watch(); });
}

void Engine::stop() {
  stopped_ = true;
  for (const FairQueue::Dropped& dropped : queue_.drop_all())
    dropped.job->finished(dropped.job, dropped.end);
}

void Engine::run() {
  while (true) {
    const Pieces pieces = queue_.take();
    if (pieces.empty()) return;
    compute(pieces);
  }
}

void Engine::watch() {
  while (queue_.wait_for_jobs()) {
    for (const FairQueue::Dropped& dropped : queue_.drop_dead(ServeClock::now())) {
      dropped.job->finished(dropped.job, dropped.end);
    }
    std::this_thread::sleep_for(kWatchPeriod);
  }
}

void Engine::compute(const Pieces& pieces) {
  const auto begun = ServeClock::now();
  try {
    compute_together(pieces);
  } catch (const std::exception&) {
    if (stopped_ || queue_.unwanted(pieces)) return finish(pieces);
    // One text's trouble is not its neighbours': each has another try by itself.
    for (const FairQueue::Piece& piece : pieces) {
      try {
        compute_together({piece});
      } catch (const std::bad_alloc&) {
        piece.job->results[piece.index].error = "there is not enough memory for this text";
      } catch (const std::exception& error) {
        piece.job->results[piece.index].error = error.what();
      }
    }
  }
  size_t tokens = 0;
  for (const FairQueue::Piece& piece : pieces) {
    tokens += piece.job->sequences[piece.index].ids.size();
  }
  const double seconds = Seconds(ServeClock::now() - begun).count();
  rate_.add(tokens, seconds);
  on_batch_({pieces.size(), tokens, seconds});
  finish(pieces);
}

void Engine::compute_together(const Pieces& pieces) {
  std::vector<TokenSequence> sequences;
  for (const FairQueue::Piece& piece : pieces) {
    sequences.push_back(piece.job->sequences[piece.index]);
  }
  Job& first = *pieces.front().job;
  first.model->session().compute(
      sequences, {first.pooling, false},
      [&](const SequenceVectors& vectors) {
        const FairQueue::Piece& piece = pieces[vectors.index];
        JobResult& result = piece.job->results[piece.index];
        result.rows = vectors.rows;
        result.values.assign(vectors.values.begin(), vectors.values.end());
        result.error.clear();
      },
      [&](const Session::Done&) { return !stopped_ && !queue_.unwanted(pieces); });
}

void Engine::finish(const Pieces& pieces) {
  for (const FairQueue::Piece& piece : pieces) {
    if (queue_.complete(piece)) piece.job->finished(piece.job, JobEnd::kDone);
  }
}

}  // namespace m2
