#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace m2::reference {
namespace {

double element(const AttentionHead& head, const float* blocks, size_t row, size_t channel) {
  return blocks[channel / kChannelBlock * head.block_stride + row * kChannelBlock +
                channel % kChannelBlock];
}

double key_element(const AttentionHead& head, size_t row, size_t channel) {
  const size_t group = row / kChannelBlock, lane = row % kChannelBlock;
  return head
      .k[channel / kChannelBlock * head.block_stride + group * kChannelBlock * kChannelBlock +
         channel % kChannelBlock * kChannelBlock + lane];
}

}  // namespace

void attention(const AttentionHead& head, double* out) {
  const size_t channels = head.channel_blocks * kChannelBlock;
  std::vector<double> scores(head.keys);
  for (size_t i = 0; i < head.queries; ++i) {
    for (size_t j = 0; j < head.keys; ++j) {
      double dot = 0;
      for (size_t c = 0; c < channels; ++c) {
        dot += element(head, head.q, i, c) * key_element(head, j, c);
      }
      const double distance =
          std::fabs(static_cast<double>(head.first_query + i) - static_cast<double>(j));
      scores[j] = dot * static_cast<double>(head.scale) -
                  static_cast<double>(head.slope) * distance +
                  static_cast<double>(head.key_bias[j]);
    }
    const double largest = *std::max_element(scores.begin(), scores.end());
    double sum = 0;
    for (double& score : scores) {
      score = std::exp(score - largest);
      sum += score;
    }
    for (size_t c = 0; c < channels; ++c) {
      double total = 0;
      for (size_t j = 0; j < head.keys; ++j) total += scores[j] / sum * element(head, head.v, j, c);
      out[i * channels + c] = total;
    }
  }
}

}  // namespace m2::reference
