// Batches: rows of ids, padded to one length, as a model takes them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/masking.h"
#include "data/stream.h"

namespace m2 {

// Row-major [rows, length]; 64-bit, as torch indexes.
struct Batch {
  int64_t rows = 0;
  int64_t length = 0;
  std::vector<int64_t> ids;             // the pad id behind a row's end
  std::vector<int64_t> labels;          // kNoLabel where nothing is asked
  std::vector<int64_t> attention_mask;  // 1 for a token, 0 for a pad
  std::vector<int64_t> lengths;         // tokens of each row
  int64_t tokens = 0;                   // sum of the lengths
  int64_t labelled = 0;                 // labels other than kNoLabel
};

// The batch of `draws`, masked, padded to `length`, or to the longest row where that is 0. A
// sample longer than `length` is an Error(kUsage). Rows [a, b) are those of any other batch that
// holds the same draws: a row depends on its draw alone, its padding apart.
Batch read_batch(const StreamSet& streams, const Masking& masking, std::span<const Draw> draws,
                 int64_t length);

// The draws at places [first, first + count) of an epoch.
std::vector<Draw> draws_of(const SampleOrder& order, uint64_t epoch, uint64_t first,
                           uint64_t count);

}  // namespace m2
