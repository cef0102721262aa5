#include "layers/sequence_mixer.h"

#include <algorithm>
#include <set>

#include "kernels/layout.h"
#include "kernels/long_conv.h"

namespace m2 {
namespace {

constexpr double kMixerNormEps = 1e-5;  // not the configuration's: the published code's default
constexpr size_t kSignals = 3;          // x1, x2, v
constexpr size_t kShortTaps = 3;

// in_linear with each third's outputs filled up to whole channel blocks, the new rows zero.
Linear make_input(const Weights& weights, const std::string& prefix, size_t channels) {
  const size_t padded = channel_blocks(channels) * kChannelBlock;
  const FloatTensor weight = weights.get(prefix + ".in_linear.weight");
  const FloatTensor bias = weights.get(prefix + ".in_linear.bias");
  const Linear::Strides strides = {padded, kSignals * padded};
  if (padded == channels) {
    return Linear::dense(channels, kSignals * channels, strides, weight.data(), bias.data());
  }
  std::vector<float> wide_weight(kSignals * padded * channels), wide_bias(kSignals * padded);
  for (size_t signal = 0; signal < kSignals; ++signal) {
    std::copy_n(weight.data() + signal * channels * channels, channels * channels,
                wide_weight.data() + signal * padded * channels);
    std::copy_n(bias.data() + signal * channels, channels, wide_bias.data() + signal * padded);
  }
  return Linear::dense(channels, kSignals * padded, strides, wide_weight.data(), wide_bias.data());
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

}  // namespace

SequenceMixer::SequenceMixer(const Weights& weights, const std::string& prefix,
                             size_t output_stride)
    : channels_(static_cast<size_t>(weights.config().hidden_size)),
      blocks_(channel_blocks(channels_)),
      stride_(blocks_ * kChannelBlock),
      input_(make_input(weights, prefix, channels_)),
      output_(Linear::dense(channels_, channels_, {stride_, output_stride},
                            weights.get(prefix + ".out_linear.weight").data(),
                            weights.get(prefix + ".out_linear.bias").data())),
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

void SequenceMixer::project_input(const RowTiles& rows, Activations& u, Executor& executor,
                                  Workspace& workspace) const {
  workspace.projections.resize(rows, kSignals * stride_);
  executor.parallel_for(rows.tiles().size(), [&](size_t index, int worker) {
    const Tile& tile = rows.tiles()[index];
    const TextRows& text = rows.texts()[tile.text];
    WorkerScratch& scratch = workspace.workers[static_cast<size_t>(worker)];
    float* in = room(scratch.input, kTileRows * stride_);
    float* out = room(scratch.projection, kTileRows * kSignals * stride_);
    scratch.clock.start();
    u.gather(text, tile, 0, blocks_, in, stride_);
    if (norm_) {
      norm_->apply(tile.rows, stride_, in, nullptr, in);
      u.scatter(text, tile, 0, blocks_, in, stride_);
    }
    scratch.clock.lap(Phase::kMoves);
    input_.apply(tile.rows, in, out);
    scratch.clock.lap(Phase::kGemm);
    workspace.projections.scatter(text, tile, 0, kSignals * blocks_, out, kSignals * stride_);
    scratch.clock.lap(Phase::kMoves);
  });
}

void SequenceMixer::convolve(const RowTiles& rows, const Activations& u, size_t layer,
                             SpectrumClient& filters, Executor& executor,
                             Workspace& workspace) const {
  std::set<size_t> sizes;
  for (const TextRows& text : rows.texts()) sizes.insert(transform_size(2 * text.length));
  for (const size_t size : sizes) {
    const auto plan = fft_plan(size);
    const auto spectra = filters.get(layer, {&gated_filter_, residual_filter()}, *plan, executor);
    std::vector<const TextRows*> texts;
    for (const TextRows& text : rows.texts()) {
      if (transform_size(2 * text.length) == size) texts.push_back(&text);
    }
    executor.parallel_for(texts.size() * blocks_, [&](size_t index, int worker) {
      const TextRows& text = *texts[index / blocks_];
      const size_t b = index % blocks_;
      LongConvBlock block;
      block.plan = plan.get();
      block.length = text.length;
      block.x1 = workspace.projections.block(text, b);
      block.x2 = workspace.projections.block(text, blocks_ + b);
      block.v = workspace.projections.block(text, 2 * blocks_ + b);
      block.short_filter = short_filters_.data() + b * kSignals * (kShortTaps + 1) * kChannelBlock;
      block.residual = residual_filter_ ? u.block(text, b) : nullptr;
      block.spectrum = spectra->data() + b * plan->spectrum_floats();
      block.out = workspace.projections.block(text, b);
      WorkerScratch& scratch = workspace.workers[static_cast<size_t>(worker)];
      block.work = room(scratch.transform, plan->workspace_floats());
      scratch.clock.start();
      long_conv(block);
      scratch.clock.lap(Phase::kLongConv);
    });
  }
}

void SequenceMixer::project_output(const TextRows& text, const Tile& tile, WorkerScratch& scratch,
                                   const Activations& projections, float* output) const {
  float* in = room(scratch.input, kTileRows * stride_);
  projections.gather(text, tile, 0, blocks_, in, stride_);
  scratch.clock.lap(Phase::kMoves);
  output_.apply(tile.rows, in, output);
  scratch.clock.lap(Phase::kGemm);
}

}  // namespace m2
