#include "models/heads.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "checkpoint/tensor_file.h"
#include "core/error.h"
#include "core/text.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

const char kPooler[] = "bert.pooler.dense";
const char kClassifier[] = "classifier";

Linear load_dense(const Weights& weights, const std::string& name) {
  const FloatTensor weight = weights.get(name + ".weight");
  const size_t in = static_cast<size_t>(weights.config().hidden_size);
  const size_t out = weight.values().size() / in;
  return Linear({in, out, tile_stride(in), tile_stride(out)}, weight.data(),
                weights.get(name + ".bias").data());
}

// One row through a linear layer, on a tile of its own.
void apply_to_row(const Linear& linear, std::span<const float> x, std::span<float> out) {
  AlignedBuffer<float> in(kTileStep * linear.in_stride()), result(kTileStep * linear.out_stride());
  std::fill(in.data(), in.data() + in.size(), 0.0f);
  std::copy(x.begin(), x.end(), in.data());
  OperandBuffer operand;
  linear.apply(kTileStep, in.data(), operand, result.data());
  std::copy_n(result.data(), out.size(), out.begin());
}

// The values of one of a module's tensors.
std::vector<float> module_values(const TensorFile& file, const std::string& name,
                                 const std::vector<int64_t>& shape, const std::string& source) {
  const TensorView* tensor = file.find(name);
  if (tensor == nullptr) throw input_error(concat(source, ": has no weight ", name));
  if (tensor->shape != shape) {
    throw input_error(concat(source, ": the weight ", name, " has the shape ",
                             shape_text(tensor->shape), ", but its config.json asks for ",
                             shape_text(shape)));
  }
  if (!is_floating(tensor->dtype)) {
    throw input_error(concat(source, ": the weight ", name, " is stored as ",
                             dtype_name(tensor->dtype), "; fp32, fp16 and bf16 are read"));
  }
  std::vector<float> values(static_cast<size_t>(tensor->elements()));
  widen_to_float(tensor->dtype, tensor->data, values);
  if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); })) {
    throw input_error(concat(source, ": the weight ", name, " holds a NaN or an infinity"));
  }
  return values;
}

double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kGelu:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    default:
      return x;
  }
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

Dense Dense::load(const DenseDescription& description, const std::string& folder) {
  const Checkpoint checkpoint = open_checkpoint(folder);
  const TensorFile& file = *checkpoint.tensors;
  for (const std::string& name : file.names()) {
    if (name == "linear.weight" || (name == "linear.bias" && description.bias)) continue;
    throw input_error(concat(folder, ": holds the weight ", printable(name),
                             ", which its config.json has no place for"));
  }
  const int64_t in = description.in_features, out = description.out_features;
  const auto weight = module_values(file, "linear.weight", {out, in}, folder);
  std::vector<float> bias;
  if (description.bias) bias = module_values(file, "linear.bias", {out}, folder);
  Dense dense;
  dense.in_ = static_cast<size_t>(in);
  dense.activation_ = description.activation;
  const size_t width = static_cast<size_t>(out);
  dense.linear_ = Linear({dense.in_, width, tile_stride(dense.in_), tile_stride(width)},
                         weight.data(), description.bias ? bias.data() : nullptr);
  return dense;
}

void Dense::apply(std::vector<float>& x) const {
  std::vector<float> result(out());
  apply_to_row(linear_, x, result);
  for (float& value : result) {
    value = static_cast<float>(activate(activation_, static_cast<double>(value)));
  }
  x = std::move(result);
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
