#include "layers/attention.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "kernels/attention.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

constexpr size_t kParts = 3;  // q, k, v
constexpr size_t kKeys = 1;

// What a head's channels become when each head is filled up to whole channel blocks.
struct HeadLayout {
  size_t heads, width, padded;
  size_t place(size_t channel) const { return channel / width * padded + channel % width; }
};

// q, k and v as one product: rows of the weight in the order of HeadLayout, the new ones zero.
Linear make_input(const Weights& weights, const std::string& prefix, const HeadLayout& layout) {
  const size_t channels = layout.heads * layout.width, wide = layout.heads * layout.padded;
  std::vector<float> weight(kParts * wide * channels), bias(kParts * wide);
  const auto take = [&](const std::string& name, size_t first_part, size_t parts) {
    const FloatTensor source = weights.get(name + ".weight"), offsets = weights.get(name + ".bias");
    for (size_t row = 0; row < parts * channels; ++row) {
      const size_t target = (first_part + row / channels) * wide + layout.place(row % channels);
      std::copy_n(source.data() + row * channels, channels, weight.data() + target * channels);
      bias[target] = offsets.data()[row];
    }
  };
  if (weights.config().family == Family::kMosaicBert) {
    take(prefix + ".self.Wqkv", 0, kParts);
  } else {
    take(prefix + ".self.query", 0, 1);
    take(prefix + ".self.key", 1, 1);
    take(prefix + ".self.value", 2, 1);
  }
  // A panel holds one part's channels: keys go another way.
  return Linear({channels,
                 kParts * wide,
                 tile_stride(channels),
                 kPanelWidth,
                 1,
                 weights.products(),
                 {wide, 2 * wide}},
                weight.data(), bias.data());
}

// Columns of the weight in the order of HeadLayout.
Linear make_output(const Weights& weights, const std::string& prefix, const HeadLayout& layout,
                   size_t output_stride) {
  const size_t channels = layout.heads * layout.width, wide = layout.heads * layout.padded;
  const FloatTensor source = weights.get(prefix + ".output.dense.weight");
  std::vector<float> weight(channels * wide);
  for (size_t row = 0; row < channels; ++row) {
    for (size_t c = 0; c < channels; ++c) {
      weight[row * wide + layout.place(c)] = source.data()[row * channels + c];
    }
  }
  return Linear({wide, channels, wide, output_stride, 1, weights.products()}, weight.data(),
                weights.get(prefix + ".output.dense.bias").data());
}

// A text, a head, and the rows of queries that one call takes.
struct HeadTask {
  size_t text, head, row;
};

}  // namespace

std::vector<float> alibi_slopes(size_t heads) {
  const auto geometric = [](size_t count) {
    std::vector<float> slopes;
    for (size_t i = 1; i <= count; ++i) {
      slopes.push_back(static_cast<float>(
          std::exp2(-8.0 * static_cast<double>(i) / static_cast<double>(count))));
    }
    return slopes;
  };
  const size_t power = std::bit_floor(heads);
  std::vector<float> slopes = geometric(power);
  const std::vector<float> finer = geometric(2 * power);
  for (size_t i = 0; slopes.size() < heads; i += 2) slopes.push_back(finer[i]);
  return slopes;
}

void make_key_bias(std::span<const TokenSpan> texts, const RowTiles& rows, Workspace& workspace) {
  float* bias = room(workspace.key_bias, rows.padded_rows());
  std::fill_n(bias, rows.padded_rows(), kMaskedKey);
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::span<const int32_t> mask = texts[i].mask;
    for (size_t row = 0; row < mask.size(); ++row) {
      if (mask[row] != 0) bias[rows.texts()[i].first_row + row] = 0;
    }
  }
}

Attention::Attention(const Weights& weights, const std::string& prefix, size_t output_stride)
    : heads_(static_cast<size_t>(weights.config().num_attention_heads)),
      norm_(weights.get(prefix + ".output.LayerNorm.weight").values(),
            weights.get(prefix + ".output.LayerNorm.bias").values(),
            weights.config().layer_norm_eps) {
  const size_t channels = static_cast<size_t>(weights.config().hidden_size);
  const size_t width = channels / heads_;
  head_blocks_ = channel_blocks(width);
  blocks_ = channel_blocks(channels);
  stride_ = blocks_ * kChannelBlock;
  y_blocks_ = heads_ * head_blocks_;
  y_stride_ = y_blocks_ * kChannelBlock;
  scale_ = static_cast<float>(1 / std::sqrt(static_cast<double>(width)));
  const bool alibi = weights.config().family == Family::kMosaicBert;
  slopes_ = alibi ? alibi_slopes(heads_) : std::vector<float>(heads_, 0.0f);
  const HeadLayout layout = {heads_, width, head_blocks_ * kChannelBlock};
  input_ = make_input(weights, prefix, layout);
  output_ = make_output(weights, prefix, layout, output_stride);
}

void Attention::project_input(const RowTiles& rows, const Activations& u, WantedRows wanted,
                              Executor& executor, Workspace& workspace) const {
  workspace.projections.resize(rows, kParts * y_stride_);
  const auto groups = group_tiles(rows.tiles(), static_cast<size_t>(executor.workers()));
  executor.parallel_for(groups.size(), [&](size_t index, int worker) {
    const std::span<const Tile> tiles = groups[index];
    WorkerScratch& scratch = workspace.workers[static_cast<size_t>(worker)];
    std::array<Operand, kGroupTiles> operands;
    scratch.clock.start();
    for (size_t i = 0; i < tiles.size(); ++i) {
      float* in = room(scratch.input, kGroupTiles * kTileRows * stride_) + i * kTileRows * stride_;
      operands[i] =
          input_.gather(u, rows.texts()[tiles[i].text], tiles[i], 0, in, scratch.operands[i]);
    }
    scratch.clock.lap(Phase::kMoves);
    for (size_t panel = 0; panel < input_.panels().size(); ++panel) {
      const bool queries = input_.panels()[panel].first < y_stride_;
      for (size_t i = 0; i < tiles.size(); ++i) {
        if (queries && wanted == WantedRows::kFirst && tiles[i].row > 0) continue;
        project_panel(panel, rows.texts()[tiles[i].text], tiles[i], operands[i], scratch,
                      workspace.projections);
      }
    }
  });
}

void Attention::project_panel(size_t panel, const TextRows& text, const Tile& tile,
                              const Operand& u, WorkerScratch& scratch,
                              Activations& projections) const {
  float* out = room(scratch.panel, kTileRows * kPanelWidth);
  input_.apply_panel(panel, tile.rows, u, out);
  scratch.clock.lap(Phase::kGemm);
  const size_t first = input_.panels()[panel].first / kChannelBlock;
  const size_t count = input_.panels()[panel].width / kChannelBlock;
  if (first / y_blocks_ == kKeys) {
    projections.scatter_transposed(text, tile, first, count, out, kPanelWidth);
  } else {
    projections.scatter(text, tile, first, count, out, kPanelWidth);
  }
  scratch.clock.lap(Phase::kMoves);
}

void Attention::attend(const RowTiles& rows, WantedRows wanted, Executor& executor,
                       Workspace& workspace) const {
  std::vector<HeadTask> tasks;
  const auto end_of = [&](const TextRows& text) {
    return wanted == WantedRows::kFirst ? kTileStep : text.padded_rows;
  };
  for (size_t text = 0; text < rows.texts().size(); ++text) {
    for (size_t head = 0; head < heads_; ++head) {
      for (size_t row = 0; row < end_of(rows.texts()[text]); row += kAttentionQueries) {
        tasks.push_back({text, head, row});
      }
    }
  }
  executor.parallel_for(tasks.size(), [&](size_t index, int worker) {
    const HeadTask& task = tasks[index];
    const TextRows& text = rows.texts()[task.text];
    Activations& projections = workspace.projections;
    const size_t block = task.head * head_blocks_, at = task.row * kChannelBlock;
    AttentionHead head;
    head.channel_blocks = head_blocks_;
    head.block_stride = text.padded_rows * kChannelBlock;
    head.first_query = task.row;
    head.queries = std::min(kAttentionQueries, end_of(text) - task.row);
    head.keys = round_up(text.length, kChannelBlock);
    head.q = head.out = projections.block(text, block) + at;
    head.k = projections.block(text, y_blocks_ + block);
    head.v = projections.block(text, 2 * y_blocks_ + block);
    head.key_bias = workspace.key_bias.data() + text.first_row;
    head.scale = scale_;
    head.slope = slopes_[task.head];
    WorkerScratch& scratch = workspace.workers[static_cast<size_t>(worker)];
    head.work = room(scratch.scores, attention_work_floats(head_blocks_));
    scratch.clock.start();
    attention(head);
    scratch.clock.lap(Phase::kAttention);
  });
}

void Attention::project_output(const RowTiles& rows, std::span<const Tile> tiles,
                               const Activations& u, const Activations& projections,
                               WorkerScratch& scratch, float* output) const {
  std::array<Operand, kGroupTiles> operands;
  for (size_t i = 0; i < tiles.size(); ++i) {
    float* y = room(scratch.input, kGroupTiles * kTileRows * y_stride_) + i * kTileRows * y_stride_;
    operands[i] = output_.gather(projections, rows.texts()[tiles[i].text], tiles[i], 0, y,
                                 scratch.operands[i]);
  }
  scratch.clock.lap(Phase::kMoves);
  output_.apply_group(tiles, operands, output);
  scratch.clock.lap(Phase::kGemm);
  const size_t stride = output_.out_stride();
  float* residual = room(scratch.hidden, kTileRows * stride);
  for (size_t i = 0; i < tiles.size(); ++i) {
    float* x = output + i * kTileRows * stride;
    u.gather(rows.texts()[tiles[i].text], tiles[i], 0, blocks_, residual, stride);
    norm_.apply(tiles[i].rows, stride, x, residual, x);
  }
  scratch.clock.lap(Phase::kGatesAndNorms);
}

}  // namespace m2
