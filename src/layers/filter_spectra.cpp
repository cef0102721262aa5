#include "layers/filter_spectra.h"

#include <algorithm>

#include "core/error.h"
#include "kernels/hyena_filter.h"

namespace m2 {
namespace {

constexpr size_t kPanelBlocks = kFilterPanel / kChannelBlock;
constexpr size_t kScales = 2 * kChannelBlock;  // of a channel block's half spectra

size_t row_tiles_of(size_t taps) {
  return round_up(taps, kTileRows) / kTileRows;
}

size_t taps_of(const HyenaFilter& filter, const FftPlan& plan) {
  return std::min(plan.points / 2, filter.longest());
}

size_t panel_blocks(size_t panel, size_t blocks) {
  return std::min(kPanelBlocks, blocks - panel * kPanelBlocks);
}

// D·u is part of the convolution: D joins tap 0.
void add_skip(const HyenaFilter& filter, size_t panel, size_t block, float* tap0) {
  const float* bias = filter.bias() + panel * kFilterPanel + block * kChannelBlock;
  for (size_t c = 0; c < kChannelBlock; ++c) tap0[c] += bias[c];
}

}  // namespace

void Spectra::give(size_t channel_block, const FftPlan& plan, LongConvBlock& block) const {
  const size_t first = channel_block * plan.spectrum_floats();
  if (halves.size() == 0) {
    block.spectrum = floats.data() + first;
  } else {
    block.half_spectrum = halves.data() + first;
    block.half_scales = scales.data() + channel_block * kScales;
  }
}

size_t spectra_bytes(size_t channels, const FftPlan& plan, DType dtype) {
  const size_t blocks = channel_blocks(channels);
  const size_t scales = dtype == DType::kF32 ? 0 : blocks * kScales * sizeof(float);
  return blocks * plan.spectrum_floats() * dtype_size(dtype) + scales;
}

size_t first_taps_bytes(const FilterPair& filters, const FftPlan& plan) {
  const size_t blocks = channel_blocks(filters.gated->channels());
  const size_t filter_count = filters.residual == nullptr ? 1 : 2;
  return filter_count * blocks * taps_of(*filters.gated, plan) * kChannelBlock * sizeof(float);
}

void SpectrumMaker::make_features(const HyenaFilter& filter, size_t taps, Executor& executor,
                                  size_t first_network) {
  const size_t tiles = row_tiles_of(taps), count = filter.networks().size();
  executor.parallel_for(count * tiles, [&](size_t index, int worker) {
    const size_t network = index / tiles, tile = index % tiles;
    const FilterNetwork& net = filter.networks()[network];
    const size_t floats = kTileRows * net.scratch_stride();
    WorkerScratch& scratch = workers_[static_cast<size_t>(worker)];
    float* out = room(scratch.output, floats);
    scratch.clock.start();
    net.features(filter.z(), tile * kTileRows, room(scratch.input, floats), out);
    const size_t stride = net.order_stride();
    std::copy_n(out, kTileRows * stride,
                features_.data() + ((first_network + network) * tiles + tile) * kTileRows * stride);
    scratch.clock.lap(Phase::kSpectra);
  });
}

void SpectrumMaker::make_taps(const HyenaFilter& filter, size_t network, size_t panel,
                              const float* features, size_t first, size_t count,
                              const TapPlaces& places, WorkerScratch& scratch) {
  float* tile = room(scratch.output, kTileRows * kFilterPanel);
  scratch.clock.start();
  filter.networks()[network].panel(panel, features, tile);
  for (size_t block = 0; block < places.blocks; ++block) {
    DecayBlock decay;
    decay.rows = count;
    decay.tile_stride = kFilterPanel;
    decay.taps = tile + block * kChannelBlock;
    decay.time = filter.time().data() + first;
    decay.delta = filter.delta() + panel * kFilterPanel + block * kChannelBlock;
    decay.kernel = places.kernels + block * places.block_floats + places.place * kChannelBlock;
    decay.kernel_step = static_cast<ptrdiff_t>(kChannelBlock) * places.step;
    filter_decay(decay);
  }
  scratch.clock.lap(Phase::kSpectra);
}

void SpectrumMaker::make_panel(const HyenaFilter& filter, size_t panel, size_t taps,
                               const FftPlan& plan, Executor& executor, size_t first_network,
                               float* kernels) {
  const size_t tiles = row_tiles_of(taps), count = filter.networks().size();
  const size_t kernel_floats = plan.points * kChannelBlock;
  // What no tap reaches is zero: between the ends of both directions.
  for (size_t block = 0; block < kPanelBlocks; ++block) {
    float* kernel = kernels + block * kernel_floats;
    const size_t end = count == 2 ? plan.points - taps : plan.points;
    std::fill(kernel + taps * kChannelBlock, kernel + end * kChannelBlock, 0.0f);
  }
  executor.parallel_for(count * tiles, [&](size_t index, int worker) {
    const size_t network = index / tiles, first = index % tiles * kTileRows;
    const size_t row = (first_network + network) * tiles * kTileRows + first;
    TapPlaces places = {kernels, kPanelBlocks, kernel_floats, 0, network == 0 ? 1 : -1};
    places.place = network == 0 ? first : plan.points - 1 - first;
    make_taps(filter, network, panel,
              features_.data() + row * filter.networks()[network].order_stride(), first,
              std::min(kTileRows, taps - first), places, workers_[static_cast<size_t>(worker)]);
  });
  for (size_t block = 0; block < kPanelBlocks; ++block) {
    add_skip(filter, panel, block, kernels + block * kernel_floats);
  }
}

void SpectrumMaker::transform_panel(size_t panel, bool residual, const FftPlan& plan, DType dtype,
                                    size_t channel_blocks, Executor& executor, Spectra& out) {
  const size_t floats = plan.spectrum_floats();
  executor.parallel_for(panel_blocks(panel, channel_blocks), [&](size_t block, int worker) {
    const size_t kernel_floats = plan.points * kChannelBlock;
    const float* kernel = kernels_.data() + block * kernel_floats;
    const size_t target = panel * kPanelBlocks + block;
    WorkerScratch& scratch = workers_[static_cast<size_t>(worker)];
    LongConvSpectrum request;
    request.plan = &plan;
    request.kernel1 = kernel;
    request.kernel2 = residual ? kernel + kPanelBlocks * kernel_floats : nullptr;
    request.spectrum =
        dtype == DType::kF32 ? out.floats.data() + target * floats : room(scratch.output, floats);
    request.work = room(scratch.transform, plan.workspace_floats());
    scratch.clock.start();
    long_conv_spectrum(request);
    if (dtype == DType::kF16) {
      round_spectrum_to_half({floats, request.spectrum, out.halves.data() + target * floats,
                              out.scales.data() + target * kScales});
    }
    scratch.clock.lap(Phase::kSpectra);
  });
}

void SpectrumMaker::make(const FilterPair& filters, const FftPlan& plan, DType dtype,
                         Executor& executor, Spectra& out) {
  M2_CHECK(dtype == DType::kF32 || dtype == DType::kF16);
  const HyenaFilter& gated = *filters.gated;
  const size_t blocks = channel_blocks(gated.channels());
  const size_t taps = taps_of(gated, plan);
  const size_t networks = gated.networks().size();
  const size_t filter_count = filters.residual == nullptr ? 1 : 2;
  const size_t panel_floats = kPanelBlocks * plan.points * kChannelBlock;
  workers_.resize(static_cast<size_t>(executor.workers()));
  room(features_, filter_count * networks * row_tiles_of(taps) * kTileRows *
                      gated.networks()[0].order_stride());
  float* kernels = room(kernels_, filter_count * panel_floats);
  if (dtype == DType::kF32) {
    out.floats.resize(blocks * plan.spectrum_floats());
  } else {
    out.halves.resize(blocks * plan.spectrum_floats());
    out.scales.resize(blocks * kScales);
  }

  make_features(gated, taps, executor, 0);
  if (filters.residual != nullptr) make_features(*filters.residual, taps, executor, networks);
  for (size_t panel = 0; panel < gated.panels(); ++panel) {
    make_panel(gated, panel, taps, plan, executor, 0, kernels);
    if (filters.residual != nullptr) {
      make_panel(*filters.residual, panel, taps, plan, executor, networks, kernels + panel_floats);
    }
    transform_panel(panel, filters.residual != nullptr, plan, dtype, blocks, executor, out);
  }
}

void SpectrumMaker::make_first_panel(const HyenaFilter& filter, size_t panel, Executor& executor,
                                     size_t filter_index, FirstTaps& out) {
  const size_t tiles = row_tiles_of(out.length), stride = filter.networks()[0].order_stride();
  float* taps = out.values.data() +
                (filter_index * out.blocks + panel * kPanelBlocks) * out.length * kChannelBlock;
  TapPlaces places = {taps, panel_blocks(panel, out.blocks), out.length * kChannelBlock, 0, 1};
  const float* features = features_.data();
  make_taps(filter, 0, panel, features, 0, 1, places, workers_[0]);
  for (size_t block = 0; block < places.blocks; ++block) {
    float* tap0 = taps + block * places.block_floats;
    add_skip(filter, panel, block, tap0);
    std::fill(tap0 + kChannelBlock, tap0 + places.block_floats, 0.0f);
  }
  if (!filter.bidirectional()) return;
  features += tiles * kTileRows * stride;
  executor.parallel_for(tiles, [&](size_t tile, int worker) {
    const size_t first = tile * kTileRows;
    // The last tap each way is never seen: row 0 itself takes k[0].
    const size_t count = std::min(kTileRows, out.length - 1 - first);
    TapPlaces reverse = places;
    reverse.place = first + 1;
    make_taps(filter, 1, panel, features + first * stride, first, count, reverse,
              workers_[static_cast<size_t>(worker)]);
  });
}

void SpectrumMaker::make_first_taps(const FilterPair& filters, const FftPlan& plan,
                                    Executor& executor, FirstTaps& out) {
  const HyenaFilter& gated = *filters.gated;
  const size_t networks = gated.networks().size();
  out.length = taps_of(gated, plan);
  out.blocks = channel_blocks(gated.channels());
  out.values.resize(first_taps_bytes(filters, plan) / sizeof(float));
  workers_.resize(static_cast<size_t>(executor.workers()));
  // Each filter's features take the same place, one after the other.
  room(features_,
       networks * row_tiles_of(out.length) * kTileRows * gated.networks()[0].order_stride());
  size_t index = 0;
  for (const HyenaFilter* filter : {filters.gated, filters.residual}) {
    if (filter == nullptr) continue;
    make_features(*filter, out.length, executor, 0);
    for (size_t panel = 0; panel < filter->panels(); ++panel) {
      make_first_panel(*filter, panel, executor, index, out);
    }
    ++index;
  }
}

}  // namespace m2
