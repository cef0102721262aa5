#include "models/heads.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

const char kPooler[] = "bert.pooler.dense";
const char kClassifier[] = "classifier";

Linear load_dense(const Weights& weights, const std::string& name) {
  const FloatTensor weight = weights.get(name + ".weight");
  const size_t in = static_cast<size_t>(weights.config().hidden_size);
  const size_t out = weight.values().size() / in;
  return Linear::dense(in, out, {tile_stride(in), tile_stride(out)}, weight.data(),
                       weights.get(name + ".bias").data());
}

// One row through a linear layer, on a tile of its own.
void apply_to_row(const Linear& linear, std::span<const float> x, std::span<float> out) {
  AlignedBuffer<float> in(kShortTile * linear.in_stride()),
      result(kShortTile * linear.out_stride());
  std::fill(in.data(), in.data() + in.size(), 0.0f);
  std::copy(x.begin(), x.end(), in.data());
  linear.apply(kShortTile, in.data(), result.data());
  std::copy_n(result.data(), out.size(), out.begin());
}

}  // namespace

Pooler::Pooler(const Weights& weights) : dense_(load_dense(weights, kPooler)) {}

std::optional<Pooler> Pooler::load(const Weights& weights) {
  if (!weights.has(std::string(kPooler) + ".weight")) return std::nullopt;
  return Pooler(weights);
}

void Pooler::apply(std::span<const float> x, std::span<float> out) const {
  apply_to_row(dense_, x, out);
  for (float& value : out) value = std::tanh(value);
}

Classifier::Classifier(const Weights& weights) : dense_(load_dense(weights, kClassifier)) {}

std::optional<Classifier> Classifier::load(const Weights& weights) {
  if (!weights.has(std::string(kClassifier) + ".weight")) return std::nullopt;
  return Classifier(weights);
}

void Classifier::apply(std::span<const float> pooled, std::span<float> logits) const {
  apply_to_row(dense_, pooled, logits);
}

void copy_row(const Activations& hidden, const TextRows& text, size_t row, std::span<float> out) {
  for (size_t c = 0; c < out.size(); ++c) {
    out[c] = hidden.block(text, c / kChannelBlock)[row * kChannelBlock + c % kChannelBlock];
  }
}

void mean_rows(const Activations& hidden, const TextRows& text, std::span<const int32_t> mask,
               std::span<float> out) {
  size_t count = 0;
  for (size_t row = 0; row < text.length; ++row) count += mask.empty() || mask[row] != 0;
  if (count == 0) throw usage_error("a text's attention mask is 0 everywhere: it has no mean");
  for (size_t block = 0; block < channel_blocks(out.size()); ++block) {
    double sums[kChannelBlock] = {};
    const float* rows = hidden.block(text, block);
    for (size_t row = 0; row < text.length; ++row) {
      if (!mask.empty() && mask[row] == 0) continue;
      for (size_t c = 0; c < kChannelBlock; ++c) {
        sums[c] += static_cast<double>(rows[row * kChannelBlock + c]);
      }
    }
    const size_t first = block * kChannelBlock;
    for (size_t c = 0; c < std::min(kChannelBlock, out.size() - first); ++c) {
      out[first + c] = static_cast<float>(sums[c] / static_cast<double>(count));
    }
  }
}

void normalise(std::span<float> vector) {
  double squares = 0;
  for (const float value : vector)
    squares += static_cast<double>(value) * static_cast<double>(value);
  if (squares == 0) return;
  const double scale = 1.0 / std::sqrt(squares);
  for (float& value : vector) value = static_cast<float>(value * scale);
}

}  // namespace m2
