#include "serve/fair_queue.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace m2 {
namespace {

size_t tokens_of(const Job& job, size_t index) {
  return job.sequences[index].ids.size();
}

size_t next_tokens(const Job& job) {
  return tokens_of(job, job.next);
}

}  // namespace

Admission FairQueue::add(const std::shared_ptr<Job>& job) {
  M2_CHECK(!job->sequences.empty() && job->length_classes.size() == job->sequences.size());
  job->results.resize(job->sequences.size());
  job->open = job->sequences.size();
  job->opening = job->opening_tokens = job->rest_tokens = 0;
  for (size_t i = 0; i < job->sequences.size(); ++i) {
    const size_t tokens = tokens_of(*job, i);
    const bool opens =
        i == 0 || (job->opening == i && job->opening_tokens + tokens <= limits_.batch_tokens);
    if (opens) job->opening = i + 1;
    (opens ? job->opening_tokens : job->rest_tokens) += tokens;
  }
  const std::lock_guard lock(mutex_);
  if (closed_) return Admission::kClosed;
  if (job->opening_tokens > limits_.tokens || job->rest_tokens > limits_.backlog_tokens) {
    return Admission::kTooLarge;
  }
  if (job->opening_tokens > limits_.tokens - tokens_.openings) return Admission::kFull;
  if (job->rest_tokens > limits_.backlog_tokens - tokens_.rests) return Admission::kBacklogFull;
  tokens_.openings += job->opening_tokens;
  tokens_.rests += job->rest_tokens;
  job->queued = ServeClock::now();
  jobs_.push_back(job);
  openings_.push_back(job);
  changed_.notify_all();
  return Admission::kTaken;
}

// The next place whose job `accept` takes, in the order of the lanes; no lane where there is none.
template <class Accept>
FairQueue::Place FairQueue::find(const Accept& accept) {
  const auto first_of = [&](Lane& lane) {
    return std::find_if(lane.begin(), lane.end(), [&](const auto& job) { return accept(*job); });
  };
  const auto opening = first_of(openings_);
  auto rest = rests_.end();
  for (auto at = rests_.begin(); at != rests_.end(); ++at) {
    const bool better = rest == rests_.end() || (*at)->taken_tokens < (*rest)->taken_tokens;
    if (better && accept(**at)) rest = at;
  }
  const bool no_opening = opening == openings_.end(), no_rest = rest == rests_.end();
  if (no_opening && no_rest) return {};
  if (no_rest || (!no_opening && openings_ahead_ <= 0)) return {&openings_, opening};
  return {&rests_, rest};
}

FairQueue::Piece FairQueue::take_piece(const Place& place) {
  const std::shared_ptr<Job> job = *place.at;
  const size_t tokens = next_tokens(*job);
  const bool opening = place.lane == &openings_;
  if (openings_.empty() || rests_.empty()) {
    openings_ahead_ = 0;
  } else {
    const auto given = static_cast<int64_t>(tokens);
    const auto most = static_cast<int64_t>(limits_.batch_tokens);
    openings_ahead_ = std::clamp(openings_ahead_ + (opening ? given : -given), -most, most);
  }
  if (job->next == 0) job->started = ServeClock::now();
  const Piece piece = {job, job->next++};
  job->taken_tokens += tokens;
  const bool more = job->next < job->sequences.size();
  if (!more || job->next == job->opening) {
    place.lane->erase(place.at);
    if (more) rests_.push_back(job);
  }
  return piece;
}

void FairQueue::give_back(const Job& job, size_t index) {
  (index < job.opening ? tokens_.openings : tokens_.rests) -= tokens_of(job, index);
}

std::vector<FairQueue::Piece> FairQueue::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return closed_ || !openings_.empty() || !rests_.empty(); });
  std::vector<Piece> pieces;
  const Place first = find([](const Job&) { return true; });
  if (first.lane == nullptr) return pieces;
  pieces.push_back(take_piece(first));
  const Job& head = *pieces.front().job;
  // What is short is done sooner by itself: rests do not fill up the batch of an opening.
  const bool opening = pieces.front().index < head.opening;
  const size_t head_class = head.length_classes[pieces.front().index];
  size_t tokens = tokens_of(head, pieces.front().index);
  const auto fits = [&](const Job& job) {
    return job.model == head.model && job.pooling == head.pooling &&
           (!opening || job.next < job.opening) &&
           tokens + next_tokens(job) <= limits_.batch_tokens;
  };
  const auto fits_well = [&](const Job& job) {
    return fits(job) && job.length_classes[job.next] == head_class;
  };
  while (true) {
    Place place = find(fits_well);
    if (place.lane == nullptr) place = find(fits);
    if (place.lane == nullptr) return pieces;
    tokens += next_tokens(**place.at);
    pieces.push_back(take_piece(place));
  }
}

bool FairQueue::complete(const Piece& piece) {
  const std::lock_guard lock(mutex_);
  give_back(*piece.job, piece.index);
  if (--piece.job->open > 0 || piece.job->over) return false;
  end_job(piece.job);
  return true;
}

// Its sequences that were not taken are never computed.
void FairQueue::end_job(const std::shared_ptr<Job>& job) {
  job->over = true;
  for (; job->next < job->sequences.size(); ++job->next) give_back(*job, job->next);
  for (Lane* lane : {&jobs_, &openings_, &rests_}) lane->remove(job);
  changed_.notify_all();
}

std::vector<FairQueue::Dropped> FairQueue::drop_dead(ServeClock::time_point now) {
  const std::lock_guard lock(mutex_);
  std::vector<Dropped> dropped;
  for (const std::shared_ptr<Job>& job : jobs_) {
    if (job->gone()) {
      dropped.push_back({job, JobEnd::kGone});
    } else if (job->deadline <= now) {
      dropped.push_back({job, JobEnd::kTimeout});
    }
  }
  for (const Dropped& one : dropped) end_job(one.job);
  return dropped;
}

std::vector<FairQueue::Dropped> FairQueue::drop_all() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  std::vector<Dropped> dropped;
  for (const std::shared_ptr<Job>& job : jobs_) dropped.push_back({job, JobEnd::kStopped});
  for (const Dropped& one : dropped) end_job(one.job);
  changed_.notify_all();
  return dropped;
}

bool FairQueue::unwanted(const std::vector<Piece>& pieces) const {
  const std::lock_guard lock(mutex_);
  return std::all_of(pieces.begin(), pieces.end(),
                     [](const Piece& piece) { return piece.job->over; });
}

void FairQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

bool FairQueue::wait_for_jobs() const {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return closed_ || !jobs_.empty(); });
  return !jobs_.empty();
}

QueueTokens FairQueue::tokens() const {
  const std::lock_guard lock(mutex_);
  return tokens_;
}

size_t FairQueue::jobs() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

}  // namespace m2
