#include "data/batch.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace m2 {

Batch read_batch(const StreamSet& streams, const Masking& masking, std::span<const Draw> draws,
                 int64_t length) {
  std::vector<std::vector<int32_t>> rows(draws.size());
  size_t longest = 0;
  for (size_t i = 0; i < draws.size(); ++i) {
    streams.read(draws[i], rows[i]);
    longest = std::max(longest, rows[i].size());
  }
  if (length > 0 && longest > static_cast<size_t>(length)) {
    throw usage_error(
        concat("a sample of ", longest, " tokens is longer than the batch's length ", length));
  }
  Batch batch;
  batch.rows = static_cast<int64_t>(rows.size());
  batch.length = length > 0 ? length : static_cast<int64_t>(longest);
  const size_t width = static_cast<size_t>(batch.length), cells = rows.size() * width;
  batch.ids.assign(cells, std::max(streams.vocabulary().special.pad, 0));
  batch.labels.assign(cells, kNoLabel);
  batch.attention_mask.assign(cells, 0);
  for (size_t i = 0; i < rows.size(); ++i) {
    const size_t tokens = rows[i].size(), begin = i * width;
    std::copy(rows[i].begin(), rows[i].end(),
              batch.ids.begin() + static_cast<std::ptrdiff_t>(begin));
    std::fill_n(batch.attention_mask.begin() + static_cast<std::ptrdiff_t>(begin), tokens, 1);
    batch.labelled += masking.mask(streams.number_of(draws[i]), draws[i].visit,
                                   std::span(batch.ids).subspan(begin, tokens),
                                   std::span(batch.labels).subspan(begin, tokens));
    batch.lengths.push_back(static_cast<int64_t>(tokens));
    batch.tokens += static_cast<int64_t>(tokens);
  }
  return batch;
}

std::vector<Draw> draws_of(const SampleOrder& order, uint64_t epoch, uint64_t first,
                           uint64_t count) {
  std::vector<Draw> draws;
  draws.reserve(count);
  for (uint64_t i = 0; i < count; ++i) draws.push_back(order.at(epoch, first + i));
  return draws;
}

}  // namespace m2
