#include "layers/dimension_mixer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.h"
#include "kernels/gelu_gate.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

size_t blocks_of(const ModelConfig& config) {
  return config.use_monarch_mlp ? static_cast<size_t>(config.monarch_mlp_nblocks) : 1;
}

// The parts' names after the layer's.
struct MlpNames {
  const char* first;
  const char* second;
  const char* norm;
};

MlpNames names_of(const ModelConfig& config) {
  if (config.family == Family::kBert) {
    return {".intermediate.dense", ".output.dense", ".output.LayerNorm"};
  }
  return {".mlp.gated_layers", ".mlp.wo", ".mlp.layernorm"};
}

FloatTensor bias_of(const Weights& weights, const std::string& name) {
  return weights.has(name + ".bias") ? weights.get(name + ".bias") : FloatTensor();
}

// Where panels of the first product must end, so that those of both halves match and each lies
// within one block of either product.
std::vector<size_t> cuts_of(size_t width, size_t blocks, bool gated) {
  const size_t halves = gated ? 2 : 1;
  const size_t first_block = round_up(halves * width, blocks) / blocks;
  const size_t second_block = round_up(width, blocks) / blocks;
  std::vector<size_t> cuts = {width};
  for (size_t block = 1; block <= blocks; ++block) {
    for (const size_t end : {block * second_block, block * first_block % width}) {
      if (end == 0 || end >= width) continue;
      cuts.push_back(end);
      if (gated) cuts.push_back(width + end);
    }
  }
  return cuts;
}

}  // namespace

size_t DimensionMixer::row_stride(const ModelConfig& config) {
  return tile_stride(static_cast<size_t>(config.hidden_size), blocks_of(config));
}

DimensionMixer::DimensionMixer(const Weights& weights, const std::string& prefix)
    : gated_(weights.config().use_glu_mlp), row_stride_(row_stride(weights.config())) {
  const MlpNames names = names_of(weights.config());
  const size_t hidden = static_cast<size_t>(weights.config().hidden_size);
  const size_t width = static_cast<size_t>(weights.config().intermediate_size);
  const size_t blocks = blocks_of(weights.config());
  const FloatTensor first_bias = bias_of(weights, prefix + names.first);
  first_ = Linear({hidden, gated_ ? 2 * width : width, row_stride_, kPanelWidth, blocks,
                   weights.products(), cuts_of(width, blocks, gated_)},
                  weights.get(concat(prefix, names.first, ".weight")).data(), first_bias.data());

  const FloatTensor weight = weights.get(concat(prefix, names.second, ".weight"));
  const FloatTensor bias = bias_of(weights, prefix + names.second);
  const size_t in = round_up(width, blocks) / blocks, out = round_up(hidden, blocks) / blocks;
  block_stride_ = tile_stride(in);
  for (size_t first = 0; first < hidden; first += out) {
    const size_t index = first / out;
    Block block;
    block.second = Linear(
        {in, std::min(out, hidden - first), block_stride_, row_stride_, 1, weights.products()},
        weight.data() + index * in * out, bias.data() == nullptr ? nullptr : bias.data() + first);
    block.first_output = first;
    for (size_t panel = 0; panel < first_.panels().size(); ++panel) {
      const size_t begin = first_.panels()[panel].first;
      if (begin < width && begin / in == index) block.panels.push_back(panel);
    }
    blocks_.push_back(std::move(block));
  }
  norm_ = Norm(weights.get(concat(prefix, names.norm, ".weight")).values(),
               weights.get(concat(prefix, names.norm, ".bias")).values(),
               weights.config().layer_norm_eps);
}

// The input of one block of the second half: GELU, gated, of the panels it reads.
void DimensionMixer::activate(const Block& block, std::span<const Tile> tiles,
                              std::span<const Operand> x, WorkerScratch& scratch,
                              float* gated) const {
  float* left = room(scratch.panel, kTileRows * kPanelWidth);
  float* right = room(scratch.gate, kTileRows * kPanelWidth);
  const size_t half = first_.panels().size() / 2;
  size_t done = 0;
  for (const size_t panel : block.panels) {
    const size_t width = first_.panels()[panel].width;
    for (size_t i = 0; i < tiles.size(); ++i) {
      first_.apply_panel(panel, tiles[i].rows, x[i], left);
      if (gated_) first_.apply_panel(half + panel, tiles[i].rows, x[i], right);
      scratch.clock.lap(Phase::kGemm);
      gelu_gate({tiles[i].rows, width, kPanelWidth, block_stride_, left, gated_ ? right : nullptr,
                 gated + i * kTileRows * block_stride_ + done});
      scratch.clock.lap(Phase::kGatesAndNorms);
    }
    done += width;
  }
  for (size_t i = 0; i < tiles.size(); ++i) {
    clear_columns(tiles[i].rows, done, block_stride_, block_stride_,
                  gated + i * kTileRows * block_stride_);
  }
}

void DimensionMixer::apply(std::span<const Tile> tiles, float* x, WorkerScratch& scratch) const {
  const size_t tile_floats = kTileRows * row_stride_;
  float* mixed = room(scratch.hidden, kGroupTiles * tile_floats);
  float* gated = room(scratch.gated, kGroupTiles * kTileRows * block_stride_);
  std::array<Operand, kGroupTiles> operands, gated_operands;
  for (size_t i = 0; i < tiles.size(); ++i) {
    operands[i] = first_.prepare(tiles[i].rows, x + i * tile_floats, scratch.operands[i]);
  }
  scratch.clock.lap(Phase::kMoves);
  for (const Block& block : blocks_) {
    activate(block, tiles, operands, scratch, gated);
    for (size_t i = 0; i < tiles.size(); ++i) {
      gated_operands[i] = block.second.prepare(tiles[i].rows, gated + i * kTileRows * block_stride_,
                                               scratch.gated_operands[i]);
    }
    scratch.clock.lap(Phase::kMoves);
    block.second.apply_group(tiles, gated_operands, mixed + block.first_output);
    scratch.clock.lap(Phase::kGemm);
  }
  for (size_t i = 0; i < tiles.size(); ++i) {
    norm_.apply(tiles[i].rows, row_stride_, mixed + i * tile_floats, x + i * tile_floats,
                x + i * tile_floats);
  }
  scratch.clock.lap(Phase::kGatesAndNorms);
}

}  // namespace m2
