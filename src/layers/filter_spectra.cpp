#include "layers/filter_spectra.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "kernels/hyena_filter.h"
#include "kernels/layout.h"
#include "kernels/long_conv.h"

namespace m2 {
namespace {

constexpr size_t kPanelBlocks = kFilterPanel / kChannelBlock;

size_t row_tiles_of(size_t taps) {
  return round_up(taps, kTileRows) / kTileRows;
}

}  // namespace

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
    const FilterNetwork& net = filter.networks()[network];
    WorkerScratch& scratch = workers_[static_cast<size_t>(worker)];
    float* tile = room(scratch.output, kTileRows * kFilterPanel);
    scratch.clock.start();
    net.panel(panel,
              features_.data() +
                  ((first_network + network) * tiles * kTileRows + first) * net.order_stride(),
              tile);
    for (size_t block = 0; block < kPanelBlocks; ++block) {
      DecayBlock decay;
      decay.rows = std::min(kTileRows, taps - first);
      decay.tile_stride = kFilterPanel;
      decay.taps = tile + block * kChannelBlock;
      decay.time = filter.time().data() + first;
      decay.delta = filter.delta() + panel * kFilterPanel + block * kChannelBlock;
      const size_t place = network == 0 ? first : plan.points - 1 - first;
      decay.kernel = kernels + block * kernel_floats + place * kChannelBlock;
      decay.kernel_step = static_cast<ptrdiff_t>(kChannelBlock) * (network == 0 ? 1 : -1);
      filter_decay(decay);
    }
    scratch.clock.lap(Phase::kSpectra);
  });
  for (size_t block = 0; block < kPanelBlocks; ++block) {
    const float* bias = filter.bias() + panel * kFilterPanel + block * kChannelBlock;
    float* tap0 = kernels + block * kernel_floats;
    for (size_t c = 0; c < kChannelBlock; ++c) tap0[c] += bias[c];
  }
}

void SpectrumMaker::make(const FilterPair& filters, const FftPlan& plan, Executor& executor,
                         Spectra& out) {
  const HyenaFilter& gated = *filters.gated;
  const size_t blocks = channel_blocks(gated.channels());
  const size_t taps = std::min(plan.points / 2, gated.longest());
  const size_t networks = gated.networks().size();
  const size_t filter_count = filters.residual == nullptr ? 1 : 2;
  const size_t panel_floats = kPanelBlocks * plan.points * kChannelBlock;
  workers_.resize(static_cast<size_t>(executor.workers()));
  room(features_, filter_count * networks * row_tiles_of(taps) * kTileRows *
                      gated.networks()[0].order_stride());
  float* kernels = room(kernels_, filter_count * panel_floats);
  out.resize(blocks * plan.spectrum_floats());

  make_features(gated, taps, executor, 0);
  if (filters.residual != nullptr) make_features(*filters.residual, taps, executor, networks);
  for (size_t panel = 0; panel < gated.panels(); ++panel) {
    make_panel(gated, panel, taps, plan, executor, 0, kernels);
    if (filters.residual != nullptr) {
      make_panel(*filters.residual, panel, taps, plan, executor, networks, kernels + panel_floats);
    }
    const size_t first_block = panel * kPanelBlocks;
    const size_t count = std::min(kPanelBlocks, blocks - first_block);
    executor.parallel_for(count, [&](size_t block, int worker) {
      const float* kernel = kernels + block * plan.points * kChannelBlock;
      LongConvSpectrum request;
      request.plan = &plan;
      request.kernel1 = kernel;
      request.kernel2 = filters.residual == nullptr ? nullptr : kernel + panel_floats;
      request.spectrum = out.data() + (first_block + block) * plan.spectrum_floats();
      WorkerScratch& scratch = workers_[static_cast<size_t>(worker)];
      request.work = room(scratch.transform, plan.workspace_floats());
      scratch.clock.start();
      long_conv_spectrum(request);
      scratch.clock.lap(Phase::kSpectra);
    });
  }
}

}  // namespace m2
