#include "ops/linear.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <set>

#include "core/error.h"
#include "kernels/layout.h"
#include "kernels/number_types.h"

namespace m2 {
namespace {

std::atomic<bool> emulated{false};

// Rows of `width` weights, as the type holds them, in fp32 again.
void round_weights(DType type, size_t rows, size_t width, std::vector<float>& weights) {
  std::vector<int8_t> integers(width);
  for (size_t row = 0; row < rows; ++row) {
    float* values = weights.data() + row * width;
    if (type == DType::kBF16) {
      for (size_t i = 0; i < width; ++i) values[i] = bf16_to_float(float_to_bf16(values[i]));
    } else {
      const float scale = quantise_weights(values, width, integers.data());
      for (size_t i = 0; i < width; ++i) values[i] = scale * static_cast<float>(integers[i]);
    }
  }
}

void copy_columns(size_t rows, size_t width, const float* from, size_t from_stride, float* to,
                  size_t to_stride) {
  for (size_t row = 0; row < rows; ++row) {
    std::copy_n(from + row * from_stride, width, to + row * to_stride);
  }
}

}  // namespace

void clear_columns(size_t rows, size_t first, size_t end, size_t stride, float* tile) {
  if (first >= end) return;
  for (size_t row = 0; row < rows; ++row) {
    std::fill(tile + row * stride + first, tile + row * stride + end, 0.0f);
  }
}

DType operand_type(DType wanted) {
  return emulated || has_product(wanted) ? wanted : DType::kF32;
}

void emulate_products_for_test(bool emulate) {
  emulated = emulate;
}

size_t tile_stride(size_t width, size_t blocks) {
  return round_up(round_up(width, blocks), kChannelBlock);
}

Linear::Linear(const Shape& shape, const float* weight, const float* bias) : shape_(shape) {
  M2_CHECK(shape.blocks > 0 && shape.in > 0 && shape.out > 0);
  M2_CHECK(shape.in_stride >= tile_stride(shape.in, shape.blocks));
  M2_CHECK(shape.out_stride >= std::min(shape.out, kPanelWidth));
  operand_ = operand_type(shape.type);
  touching_ = prefers_touching_rows(operand_);
  block_in_ = round_up(shape.in, shape.blocks) / shape.blocks;
  block_out_ = round_up(shape.out, shape.blocks) / shape.blocks;
  if (operand_ == DType::kI8) {
    scales_.resize(shape.out);
    offsets_.resize(shape.out);
    if (bias != nullptr) {
      bias_.resize(shape.out);
      std::copy_n(bias, shape.out, bias_.data());
    }
  }
  cut_into_panels();
  for (const Panel& panel : panels_) {
    add_matrix(panel, weight + panel.first * block_in_,
               bias == nullptr ? nullptr : bias + panel.first);
  }
}

void Linear::cut_into_panels() {
  std::set<size_t> ends(shape_.cuts.begin(), shape_.cuts.end());
  for (size_t block = 1; block < shape_.blocks; ++block) ends.insert(block * block_out_);
  ends.insert(shape_.out);
  size_t first = 0;
  for (const size_t end : ends) {
    for (; first < std::min(end, shape_.out); first = panels_.back().first + panels_.back().width) {
      panels_.push_back(
          {first, std::min(kPanelWidth, std::min(end, shape_.out) - first), first / block_out_});
    }
  }
}

void Linear::add_matrix(const Panel& panel, const float* weight, const float* bias) {
  const size_t rows = panel.width, k = block_in_;
  PackedMatrix::Shape shape = {operand_, k, rows, product_in_stride(), product_out_stride(panel),
                               false};
  if (operand_ == DType::kI8) {
    std::vector<int8_t> integers(rows * k);
    for (size_t row = 0; row < rows; ++row) {
      int8_t* values = integers.data() + row * k;
      scales_[panel.first + row] = quantise_weights(weight + row * k, k, values);
      offsets_[panel.first + row] = kUnsignedZero * std::accumulate(values, values + k, int32_t{0});
    }
    matrices_.emplace_back(shape, integers.data(), k, nullptr);
    return;
  }
  shape.with_bias = bias != nullptr;
  if (operand_ == shape_.type) {  // oneDNN rounds
    matrices_.emplace_back(shape, weight, k, bias);
    return;
  }
  std::vector<float> rounded(weight, weight + rows * k);
  round_weights(shape_.type, rows, k, rounded);
  matrices_.emplace_back(shape, rounded.data(), k, bias);
}

Operand Linear::prepare(size_t rows, const float* in, OperandBuffer& buffer) const {
  const size_t stride = shape_.in_stride;
  if (operand_ == DType::kF32 && product_in_stride() == stride) return {in, nullptr};
  if (operand_ == DType::kF32) return {touching_blocks(rows, in, buffer), nullptr};
  if (operand_ == DType::kBF16) {
    if (buffer.rounded.size() < kTileRows * stride) buffer.rounded.resize(kTileRows * stride);
    round_to_bf16({rows, stride, stride, stride, in, buffer.rounded.data()});
    return {buffer.rounded.data(), nullptr};
  }
  if (buffer.quantised.size() < kTileRows * stride) buffer.quantised.resize(kTileRows * stride);
  if (buffer.scales.size() < kTileRows * shape_.blocks) {
    buffer.scales.resize(kTileRows * shape_.blocks);
  }
  for (size_t block = 0; block < shape_.blocks; ++block) {
    const size_t first = block * block_in_;
    quantise_rows({rows, block_in_, stride, stride, in + first, buffer.quantised.data() + first,
                   buffer.scales.data() + block * kTileRows});
  }
  return {buffer.quantised.data(), buffer.scales.data()};
}

Operand Linear::gather(const Activations& from, const TextRows& text, const Tile& place,
                       size_t first, float* tile, OperandBuffer& buffer) const {
  const size_t stride = shape_.in_stride, blocks = stride / kChannelBlock;
  if (operand_ != DType::kBF16) {
    from.gather(text, place, first, blocks, tile, stride);
    return prepare(place.rows, tile, buffer);
  }
  // Rounded on the way.
  if (buffer.rounded.size() < kTileRows * stride) buffer.rounded.resize(kTileRows * stride);
  for (size_t block = 0; block < blocks; ++block) {
    round_to_bf16({place.rows, kChannelBlock, kChannelBlock, stride,
                   from.block(text, first + block) + place.row * kChannelBlock,
                   buffer.rounded.data() + block * kChannelBlock});
  }
  return {buffer.rounded.data(), nullptr};
}

// Each block's columns as rows that touch: [block][kTileRows][block_in].
const float* Linear::touching_blocks(size_t rows, const float* in, OperandBuffer& buffer) const {
  const size_t block_floats = kTileRows * block_in_;
  if (buffer.blocks.size() < shape_.blocks * block_floats) {
    buffer.blocks.resize(shape_.blocks * block_floats);
  }
  for (size_t block = 0; block < shape_.blocks; ++block) {
    copy_columns(rows, block_in_, in + block * block_in_, shape_.in_stride,
                 buffer.blocks.data() + block * block_floats, block_in_);
  }
  return buffer.blocks.data();
}

void Linear::apply_panel(size_t panel, size_t rows, const Operand& in, float* out) const {
  const Panel& place = panels_[panel];
  const size_t rows_apart = product_in_stride() == shape_.in_stride ? 1 : kTileRows;
  const size_t offset = place.block * block_in_ * rows_apart * dtype_size(operand_);
  const uint8_t* source = static_cast<const uint8_t*>(in.rows) + offset;
  if (product_out_stride(place) != shape_.out_stride) {
    thread_local AlignedBuffer<float> touching;
    if (touching.size() < kTileRows * place.width) touching.resize(kTileRows * place.width);
    matrices_[panel].multiply(rows, source, touching.data());
    copy_columns(rows, place.width, touching.data(), place.width, out, shape_.out_stride);
    return;
  }
  matrices_[panel].multiply(rows, source, out);
  if (operand_ != DType::kI8) return;
  dequantise({rows, place.width, shape_.out_stride, in.scales + place.block * kTileRows,
              scales_.data() + place.first, offsets_.data() + place.first,
              bias_.size() == 0 ? nullptr : bias_.data() + place.first, out});
}

void Linear::apply_group(std::span<const Tile> tiles, std::span<const Operand> in,
                         float* out) const {
  const size_t tile_floats = kTileRows * shape_.out_stride;
  for (size_t panel = 0; panel < panels_.size(); ++panel) {
    for (size_t i = 0; i < tiles.size(); ++i) {
      apply_panel(panel, tiles[i].rows, in[i], out + i * tile_floats + panels_[panel].first);
    }
  }
}

void Linear::apply(size_t rows, const float* in, OperandBuffer& buffer, float* out) const {
  const Tile tile = {0, 0, rows};
  const Operand operand = prepare(rows, in, buffer);
  apply_group({&tile, 1}, {&operand, 1}, out);
  clear_columns(rows, shape_.out, shape_.out_stride, shape_.out_stride, out);
}

}  // namespace m2
