// The filter of a long convolution, made by a small network from the position.
//
//   k[t] = W6·s(W4·s(W2·s(W0·z[t] + b0) + b2) + b4) · exp(−time[t]·|delta|),  s(x) =
//   sin(w_mod·freq·x)
//
// k_rev has Linear layers of its own and shares z, time, delta, freq and D.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "layers/weights.h"
#include "ops/linear.h"

namespace m2 {

// Channels that one product of the last Linear makes: a panel of the filter.
inline constexpr size_t kFilterPanel = 128;

// The Linear layers of one direction.
class FilterNetwork {
 public:
  FilterNetwork(const Weights& weights, const std::string& prefix, const std::string& name);

  // The last sine's output for taps [first, first + kTileRows), order_stride() floats a row; taps
  // from z's end on repeat its last. `scratch` and `out` hold kTileRows rows of scratch_stride().
  void features(std::span<const float> z, size_t first, float* scratch, float* out) const;
  // One panel of taps from features, kFilterPanel floats a row; channels beyond the last are zero.
  void panel(size_t index, const float* features, float* out) const;

  size_t order_stride() const { return order_stride_; }
  size_t scratch_stride() const { return std::max(order_stride_, emb_stride_); }

 private:
  size_t emb_dim_, order_, order_stride_, emb_stride_;
  AlignedBuffer<float> frequency_;  // w_mod·freq
  std::vector<Linear> hidden_;
  std::vector<Linear> panels_;
};

class HyenaFilter {
 public:
  // `prefix` is "bert.encoder.layer.0.attention.filter_fn" or the like.
  HyenaFilter(const Weights& weights, const std::string& prefix);

  size_t channels() const { return channels_; }
  size_t longest() const { return time_.values().size(); }  // taps that exist
  size_t panels() const { return (channels_ + kFilterPanel - 1) / kFilterPanel; }
  bool bidirectional() const { return networks_.size() == 2; }

  // networks()[0] makes k, networks()[1] k_rev.
  const std::vector<FilterNetwork>& networks() const { return networks_; }
  std::span<const float> z() const { return z_.values(); }
  std::span<const float> time() const { return time_.values(); }
  const float* delta() const { return delta_.data(); }  // filled up to whole panels with zeros
  const float* bias() const { return bias_.data(); }    // D, likewise

 private:
  size_t channels_;
  FloatTensor z_, time_;
  AlignedBuffer<float> delta_, bias_;
  std::vector<FilterNetwork> networks_;
};

}  // namespace m2
