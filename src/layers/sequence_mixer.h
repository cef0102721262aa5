// The Monarch Mixer that stands in for attention.
//
//   p = u0·Winᵀ + b, u0 = LN(u) with hyena_training_additions, else u;  x1, x2, v = short(p)
//   y = long(x1·v; filter_fn)·x2 (+ long(u0; filter_fn2) with residual_long_conv);  y·Woutᵀ + b
#pragma once

#include <optional>
#include <string>

#include "core/threads.h"
#include "layers/hyena_filter.h"
#include "layers/spectrum_store.h"
#include "layers/weights.h"
#include "layers/workspace.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/row_tiles.h"

namespace m2 {

class SequenceMixer {
 public:
  // `prefix` is "bert.encoder.layer.0.attention" or the like; `output_stride` the floats between
  // rows of the tile that project_output() writes.
  SequenceMixer(const Weights& weights, const std::string& prefix, size_t output_stride);

  // u -> x1, x2, v before the short filter, in workspace.projections. With training additions `u`
  // becomes u0. For a text's first row x2 is made of its first tile alone.
  void project_input(const RowTiles& rows, Activations& u, WantedRows wanted, Executor& executor,
                     Workspace& workspace) const;
  // Short filter, gates and long convolutions; y takes x1's place in workspace.projections. The
  // spectra come from `filters` as layer number `layer`.
  void convolve(const RowTiles& rows, const Activations& u, size_t layer, SpectrumClient& filters,
                Executor& executor, Workspace& workspace) const;
  // The same for row 0 of each text, by direct sums: the other rows of y are undefined.
  void convolve_first(const RowTiles& rows, const Activations& u, size_t layer,
                      SpectrumClient& filters, Executor& executor, Workspace& workspace) const;
  // A group of tiles of y to the mixer's output, tile i at output + i·kTileRows·output_stride.
  void project_output(const RowTiles& rows, std::span<const Tile> tiles, WorkerScratch& scratch,
                      const Activations& projections, float* output) const;

  const HyenaFilter& gated_filter() const { return gated_filter_; }
  const HyenaFilter* residual_filter() const {
    return residual_filter_ ? &*residual_filter_ : nullptr;
  }

 private:
  const float* short_filter(size_t channel_block) const;

  size_t channels_, blocks_, stride_;
  std::optional<Norm> norm_;
  Linear input_, output_;
  AlignedBuffer<float> short_filters_;  // [block][x1, x2, v][a, b, c, bias][16]
  HyenaFilter gated_filter_;
  std::optional<HyenaFilter> residual_filter_;
};

}  // namespace m2
