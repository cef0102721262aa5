#include "layers/hyena_filter.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "kernels/hyena_filter.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

AlignedBuffer<float> filled_up(std::span<const float> values, size_t multiple, float scale = 1) {
  AlignedBuffer<float> buffer(round_up(values.size(), multiple));
  std::fill(buffer.data(), buffer.data() + buffer.size(), 0.0f);
  for (size_t i = 0; i < values.size(); ++i) buffer[i] = scale * values[i];
  return buffer;
}

}  // namespace

FilterNetwork::FilterNetwork(const Weights& weights, const std::string& prefix,
                             const std::string& name) {
  const ModelConfig& config = weights.config();
  emb_dim_ = static_cast<size_t>(config.hyena_emb_dim);
  order_ = static_cast<size_t>(config.hyena_filter_order);
  order_stride_ = tile_stride(order_);
  emb_stride_ = tile_stride(emb_dim_);
  frequency_ = filled_up(weights.get(concat(prefix, ".", name, ".1.freq")).values(), kChannelBlock,
                         static_cast<float>(config.hyena_w_mod));
  for (const int layer : {0, 2, 4}) {
    const std::string linear = concat(prefix, ".", name, ".", layer);
    const size_t in = layer == 0 ? emb_dim_ : order_;
    hidden_.push_back(Linear({in, order_, tile_stride(in), order_stride_},
                             weights.get(linear + ".weight").data(),
                             weights.get(linear + ".bias").data()));
  }
  const FloatTensor last = weights.get(concat(prefix, ".", name, ".6.weight"));
  const size_t channels = static_cast<size_t>(config.hidden_size);
  for (size_t first = 0; first < channels; first += kFilterPanel) {
    panels_.push_back(
        Linear({order_, std::min(kFilterPanel, channels - first), order_stride_, kFilterPanel},
               last.data() + first * order_, nullptr));
  }
}

void FilterNetwork::features(std::span<const float> z, size_t first, float* scratch,
                             float* out) const {
  const size_t taps = z.size() / emb_dim_;
  std::fill(scratch, scratch + kTileRows * emb_stride_, 0.0f);
  for (size_t row = 0; row < kTileRows; ++row) {
    const size_t tap = std::min(first + row, taps - 1);
    std::copy_n(z.data() + tap * emb_dim_, emb_dim_, scratch + row * emb_stride_);
  }
  // An odd number of products, each from one buffer to the other: the chain ends in `out`.
  OperandBuffer operand;  // of fp32 it stays empty
  for (const Linear& linear : hidden_) {
    linear.apply(kTileRows, scratch, operand, out);
    filter_sine({kTileRows, order_, order_stride_, frequency_.data(), out});
    std::swap(scratch, out);
  }
}

void FilterNetwork::panel(size_t index, const float* features, float* out) const {
  OperandBuffer operand;
  panels_[index].apply(kTileRows, features, operand, out);
}

HyenaFilter::HyenaFilter(const Weights& weights, const std::string& prefix)
    : channels_(static_cast<size_t>(weights.config().hidden_size)),
      z_(weights.get(prefix + ".pos_emb.z")),
      time_(weights.get(prefix + ".pos_emb.t")),
      delta_(filled_up(weights.get(prefix + ".modulation.deltas").values(), kFilterPanel)),
      bias_(filled_up(weights.get(prefix + ".bias").values(), kFilterPanel)) {
  networks_.emplace_back(weights, prefix, "implicit_filter");
  if (weights.config().bidirectional)
    networks_.emplace_back(weights, prefix, "implicit_filter_rev");
}

}  // namespace m2
