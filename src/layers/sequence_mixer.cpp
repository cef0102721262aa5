#include "layers/sequence_mixer.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "kernels/layout.h"
#include "kernels/long_conv.h"

namespace m2 {
namespace {

constexpr double kMixerNormEps = 1e-5;  // not the configuration's: the published code's default
constexpr size_t kSignals = 3;          // x1, x2, v
constexpr size_t kPostGate = 1;         // x2
constexpr size_t kShortTaps = 3;

// in_linear with each third's outputs filled up to whole channel blocks, the new rows zero.
Linear make_input(const Weights& weights, const std::string& prefix, size_t channels) {
  const size_t padded = channel_blocks(channels) * kChannelBlock;
  const FloatTensor weight = weights.get(prefix + ".in_linear.weight");
  const FloatTensor bias = weights.get(prefix + ".in_linear.bias");
  Linear::Shape shape = {channels, kSignals * padded, padded, kPanelWidth};
  shape.type = weights.products();
  shape.cuts = {padded, 2 * padded};  // a panel holds one signal's channels
  if (padded == channels) return Linear(shape, weight.data(), bias.data());
  std::vector<float> wide_weight(kSignals * padded * channels), wide_bias(kSignals * padded);
  for (size_t signal = 0; signal < kSignals; ++signal) {
    std::copy_n(weight.data() + signal * channels * channels, channels * channels,
                wide_weight.data() + signal * padded * channels);
    std::copy_n(bias.data() + signal * channels, channels, wide_bias.data() + signal * padded);
  }
  return Linear(shape, wide_weight.data(), wide_bias.data());
}

// What reaches out_linear is a product of three signals: its rows hold outliers that int8 rounds
// all else away for. In int8 it alone makes half of the error.
Linear make_output(const Weights& weights, const std::string& prefix, size_t channels,
                   size_t output_stride) {
  Linear::Shape shape = {channels, channels, tile_stride(channels), output_stride};
  shape.type = weights.sensitive_products();
  return Linear(shape, weights.get(prefix + ".out_linear.weight").data(),
                weights.get(prefix + ".out_linear.bias").data());
}

AlignedBuffer<float> make_short_filters(const Weights& weights, const std::string& prefix,
                                        size_t channels) {
  const FloatTensor weight = weights.get(prefix + ".short_filter.weight");  // [3H][1][3]
  const FloatTensor bias = weights.get(prefix + ".short_filter.bias");
  constexpr size_t kRows = kShortTaps + 1;
  AlignedBuffer<float> filters(channel_blocks(channels) * kSignals * kRows * kChannelBlock);
  std::fill(filters.data(), filters.data() + filters.size(), 0.0f);
  for (size_t signal = 0; signal < kSignals; ++signal) {
    for (size_t c = 0; c < channels; ++c) {
      const size_t source = signal * channels + c;
      float* target = filters.data() +
                      (c / kChannelBlock * kSignals + signal) * kRows * kChannelBlock +
                      c % kChannelBlock;
      for (size_t tap = 0; tap < kShortTaps; ++tap) {
        target[tap * kChannelBlock] = weight.data()[source * kShortTaps + tap];
      }
      target[kShortTaps * kChannelBlock] = bias.data()[source];
    }
  }
  return filters;
}

// Texts of one transform size use one set of spectra.
std::map<size_t, std::vector<const TextRows*>> texts_by_transform(const RowTiles& rows) {
  std::map<size_t, std::vector<const TextRows*>> texts;
  for (const TextRows& text : rows.texts()) {
    texts[transform_size(2 * text.length)].push_back(&text);
  }
  return texts;
}

}  // namespace

SequenceMixer::SequenceMixer(const Weights& weights, const std::string& prefix,
                             size_t output_stride)
    : channels_(static_cast<size_t>(weights.config().hidden_size)),
      blocks_(channel_blocks(channels_)),
      stride_(blocks_ * kChannelBlock),
      input_(make_input(weights, prefix, channels_)),
      output_(make_output(weights, prefix, channels_, output_stride)),
      short_filters_(make_short_filters(weights, prefix, channels_)),
      gated_filter_(weights, prefix + ".filter_fn") {
  if (weights.config().hyena_training_additions) {
    norm_.emplace(weights.get(prefix + ".layernorm.weight").values(),
                  weights.get(prefix + ".layernorm.bias").values(), kMixerNormEps);
  }
  if (weights.config().residual_long_conv) {
    residual_filter_.emplace(weights, prefix + ".filter_fn2");
  }
}

void SequenceMixer::project_input(const RowTiles& rows, Activations& u, WantedRows wanted,
                                  Executor& executor, Workspace& workspace) const {
  workspace.projections.resize(rows, kSignals * stride_);
  const auto groups = group_tiles(rows.tiles(), static_cast<size_t>(executor.workers()));
  executor.parallel_for(groups.size(), [&](size_t index, int worker) {
    const std::span<const Tile> tiles = groups[index];
    WorkerScratch& scratch = workspace.workers[static_cast<size_t>(worker)];
    std::array<Operand, kGroupTiles> operands;
    scratch.clock.start();
    for (size_t i = 0; i < tiles.size(); ++i) {
      float* in = room(scratch.input, kGroupTiles * kTileRows * stride_) + i * kTileRows * stride_;
      const TextRows& text = rows.texts()[tiles[i].text];
      if (norm_) {
        u.gather(text, tiles[i], 0, blocks_, in, stride_);
        norm_->apply(tiles[i].rows, stride_, in, nullptr, in);
        u.scatter(text, tiles[i], 0, blocks_, in, stride_);
      }
      operands[i] = input_.gather(u, text, tiles[i], 0, in, scratch.operands[i]);
    }
    scratch.clock.lap(Phase::kMoves);
    float* out = room(scratch.panel, kTileRows * kPanelWidth);
    for (size_t panel = 0; panel < input_.panels().size(); ++panel) {
      const size_t first = input_.panels()[panel].first / kChannelBlock;
      const size_t count = input_.panels()[panel].width / kChannelBlock;
      const bool only_first = wanted == WantedRows::kFirst && first / blocks_ == kPostGate;
      for (size_t i = 0; i < tiles.size(); ++i) {
        if (only_first && tiles[i].row > 0) continue;
        input_.apply_panel(panel, tiles[i].rows, operands[i], out);
        scratch.clock.lap(Phase::kGemm);
        workspace.projections.scatter(rows.texts()[tiles[i].text], tiles[i], first, count, out,
                                      kPanelWidth);
        scratch.clock.lap(Phase::kMoves);
      }
    }
  });
}

const float* SequenceMixer::short_filter(size_t channel_block) const {
  return short_filters_.data() + channel_block * kSignals * (kShortTaps + 1) * kChannelBlock;
}

void SequenceMixer::convolve(const RowTiles& rows, const Activations& u, size_t layer,
                             SpectrumClient& filters, Executor& executor,
                             Workspace& workspace) const {
  for (const auto& [size, texts] : texts_by_transform(rows)) {
    const auto plan = fft_plan(size);
    const auto spectra = filters.get(layer, {&gated_filter_, residual_filter()}, *plan, executor);
    executor.parallel_for(texts.size() * blocks_, [&](size_t index, int worker) {
      const TextRows& text = *texts[index / blocks_];
      const size_t b = index % blocks_;
      LongConvBlock block;
      block.plan = plan.get();
      block.length = text.length;
      block.x1 = workspace.projections.block(text, b);
      block.x2 = workspace.projections.block(text, blocks_ + b);
      block.v = workspace.projections.block(text, 2 * blocks_ + b);
      block.short_filter = short_filter(b);
      block.residual = residual_filter_ ? u.block(text, b) : nullptr;
      spectra->give(b, *plan, block);
      block.out = workspace.projections.block(text, b);
      WorkerScratch& scratch = workspace.workers[static_cast<size_t>(worker)];
      block.work = room(scratch.transform, plan->workspace_floats());
      scratch.clock.start();
      long_conv(block);
      scratch.clock.lap(Phase::kLongConv);
    });
  }
}

void SequenceMixer::convolve_first(const RowTiles& rows, const Activations& u, size_t layer,
                                   SpectrumClient& filters, Executor& executor,
                                   Workspace& workspace) const {
  for (const auto& [size, texts] : texts_by_transform(rows)) {
    const auto plan = fft_plan(size);
    const auto taps =
        filters.first_taps(layer, {&gated_filter_, residual_filter()}, *plan, executor);
    executor.parallel_for(texts.size() * blocks_, [&](size_t index, int worker) {
      const TextRows& text = *texts[index / blocks_];
      const size_t b = index % blocks_;
      LongConvFirst request;
      request.length = text.length;
      request.x1 = workspace.projections.block(text, b);
      request.x2 = workspace.projections.block(text, blocks_ + b);
      request.v = workspace.projections.block(text, 2 * blocks_ + b);
      request.short_filter = short_filter(b);
      request.gated_taps = taps->block(0, b);
      if (residual_filter_) {
        request.residual = u.block(text, b);
        request.residual_taps = taps->block(1, b);
      }
      request.out = workspace.projections.block(text, b);
      PhaseClock& clock = workspace.workers[static_cast<size_t>(worker)].clock;
      clock.start();
      long_conv_first(request);
      clock.lap(Phase::kLongConv);
    });
  }
}

void SequenceMixer::project_output(const RowTiles& rows, std::span<const Tile> tiles,
                                   WorkerScratch& scratch, const Activations& projections,
                                   float* output) const {
  std::array<Operand, kGroupTiles> operands;
  for (size_t i = 0; i < tiles.size(); ++i) {
    float* in = room(scratch.input, kGroupTiles * kTileRows * stride_) + i * kTileRows * stride_;
    operands[i] = output_.gather(projections, rows.texts()[tiles[i].text], tiles[i], 0, in,
                                 scratch.operands[i]);
  }
  scratch.clock.lap(Phase::kMoves);
  output_.apply_group(tiles, operands, output);
  for (size_t i = 0; i < tiles.size(); ++i) {
    const size_t stride = output_.out_stride();
    clear_columns(tiles[i].rows, channels_, stride, stride, output + i * kTileRows * stride);
  }
  scratch.clock.lap(Phase::kGemm);
}

}  // namespace m2
