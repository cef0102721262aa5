#include "data/sample_assembler.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "data/counter_random.h"
#include "data/shard_header.h"

namespace m2 {
namespace {

// Each choice by hash has a number of its own.
constexpr uint64_t kHoldBack = 1, kJoin = 2;

bool happens(uint64_t hash, uint64_t choice, double probability) {
  const double uniform = static_cast<double>(mix_bits(hash + choice) >> 11) * 0x1p-53;
  return uniform < probability;
}

}  // namespace

void SampleList::add(const SampleFrame& frame, std::span<const int32_t> tokens) {
  if (ids.size() + tokens.size() + 2 > kMostShardTokens) {
    throw failed_error("a shard would have more than 2^32 tokens; ask for smaller shards");
  }
  ids.push_back(frame.cls);
  ids.insert(ids.end(), tokens.begin(), tokens.end());
  ids.push_back(frame.sep);
  offsets.push_back(static_cast<uint32_t>(ids.size()));
}

uint64_t SampleAssembler::pieces_of(size_t tokens) const {
  const uint64_t pieces = (tokens + frame_.room - 1) / frame_.room;
  return options_.truncate ? std::min<uint64_t>(pieces, 1) : pieces;
}

bool SampleAssembler::is_joined(uint64_t hash) const {
  return happens(hash, kJoin, options_.concatenate_share);
}

void SampleAssembler::add(std::span<const int32_t> ids, uint64_t hash, SampleList& samples) {
  if (ids.size() < frame_.room && is_joined(hash)) return join(ids, samples);
  for (uint64_t left = pieces_of(ids.size()); left > 0; --left) {
    const size_t size = std::min(ids.size(), frame_.room);
    samples.add(frame_, ids.first(size));
    ids = ids.subspan(size);
  }
}

void SampleAssembler::join(std::span<const int32_t> ids, SampleList& samples) {
  if (ids.empty()) return;
  if (waiting_.size() + 1 >= frame_.room) finish(samples);
  if (!waiting_.empty()) waiting_.push_back(frame_.sep);
  while (!ids.empty()) {
    const size_t size = std::min(ids.size(), frame_.room - waiting_.size());
    const auto part = ids.first(size);
    waiting_.insert(waiting_.end(), part.begin(), part.end());
    ids = ids.subspan(size);
    if (waiting_.size() == frame_.room) finish(samples);
  }
}

void SampleAssembler::finish(SampleList& samples) {
  if (!waiting_.empty()) samples.add(frame_, waiting_);
  waiting_.clear();
}

bool is_held_back(uint64_t hash, double valid_fraction) {
  return happens(hash, kHoldBack, valid_fraction);
}

}  // namespace m2
