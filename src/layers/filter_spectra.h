// What the filters of a layer become: spectra for the long convolution, or taps for its row 0. Both
// depend on the weights and the transform size alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/dtype.h"
#include "core/threads.h"
#include "kernels/fft_plan.h"
#include "kernels/layout.h"
#include "kernels/long_conv.h"
#include "layers/hyena_filter.h"
#include "layers/workspace.h"

namespace m2 {

// Both filters of one layer; residual is null where the layer has no second convolution.
struct FilterPair {
  const HyenaFilter* gated = nullptr;
  const HyenaFilter* residual = nullptr;
};

// Spectra of one layer at one transform size, of the filters' first N/2 taps each way: in fp32, or
// in fp16 (kernels/long_conv.h has the scales).
struct Spectra {
  AlignedBuffer<float> floats;     // [channel block][plan.spectrum_floats()], or empty
  AlignedBuffer<uint16_t> halves;  // the same, or empty
  AlignedBuffer<float> scales;     // of halves: [channel block][2][16]

  // Points `block` at the spectra of its channel block.
  void give(size_t channel_block, const FftPlan& plan, LongConvBlock& block) const;
};

// Taps of one layer in the order in which token 0 sees a text of up to `length` tokens: k[0] + D,
// k_rev[0], k_rev[1], …
struct FirstTaps {
  size_t length = 0;
  size_t blocks = 0;
  AlignedBuffer<float> values;  // [filter][channel block][length][16]

  const float* block(size_t filter, size_t channel_block) const {
    return values.data() + (filter * blocks + channel_block) * length * kChannelBlock;
  }
};

// Bytes of them.
size_t spectra_bytes(size_t channels, const FftPlan& plan, DType dtype);
size_t first_taps_bytes(const FilterPair& filters, const FftPlan& plan);

class SpectrumMaker {
 public:
  // `dtype` is kF32 or kF16, the same in every call for `out`.
  void make(const FilterPair& filters, const FftPlan& plan, DType dtype, Executor& executor,
            Spectra& out);
  // For texts of up to N/2 tokens.
  void make_first_taps(const FilterPair& filters, const FftPlan& plan, Executor& executor,
                       FirstTaps& out);
  // What its workers have spent.
  PhaseSeconds seconds() const { return phase_seconds(workers_); }

 private:
  // Where taps of a panel go: tap t of block b to kernels + b·block_floats + (place + step·t)·16.
  struct TapPlaces {
    float* kernels = nullptr;
    size_t blocks = 0, block_floats = 0;
    size_t place = 0;
    ptrdiff_t step = 1;
  };

  void make_features(const HyenaFilter& filter, size_t taps, Executor& executor,
                     size_t first_network);
  void make_taps(const HyenaFilter& filter, size_t network, size_t panel, const float* features,
                 size_t first, size_t count, const TapPlaces& places, WorkerScratch& scratch);
  void make_panel(const HyenaFilter& filter, size_t panel, size_t taps, const FftPlan& plan,
                  Executor& executor, size_t first_network, float* kernels);
  void make_first_panel(const HyenaFilter& filter, size_t panel, Executor& executor,
                        size_t filter_index, FirstTaps& out);
  void transform_panel(size_t panel, bool residual, const FftPlan& plan, DType dtype,
                       size_t channel_blocks, Executor& executor, Spectra& out);

  AlignedBuffer<float> features_;  // [filter and network][tap][order_stride]
  AlignedBuffer<float> kernels_;   // [filter][block of a panel][N][16]
  std::vector<WorkerScratch> workers_;
};

}  // namespace m2
