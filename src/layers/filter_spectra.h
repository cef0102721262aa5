// The spectra of a layer's filters: they depend on the weights and the transform size alone.
#pragma once

#include <cstddef>
#include <vector>

#include "core/threads.h"
#include "kernels/fft_plan.h"
#include "layers/hyena_filter.h"
#include "layers/workspace.h"

namespace m2 {

// Both filters of one layer. residual() is null where the layer has no second convolution.
struct FilterPair {
  const HyenaFilter* gated = nullptr;
  const HyenaFilter* residual = nullptr;
};

// Spectra of one layer at one transform size: [channel block][plan.spectrum_floats()].
using Spectra = AlignedBuffer<float>;

// Makes the spectra of `filters` for `plan`, of the first N/2 taps each way, into `out`.
class SpectrumMaker {
 public:
  void make(const FilterPair& filters, const FftPlan& plan, Executor& executor, Spectra& out);
  // What its workers have spent.
  PhaseSeconds seconds() const { return phase_seconds(workers_); }

 private:
  void make_features(const HyenaFilter& filter, size_t taps, Executor& executor,
                     size_t first_network);
  void make_panel(const HyenaFilter& filter, size_t panel, size_t taps, const FftPlan& plan,
                  Executor& executor, size_t first_network, float* kernels);

  AlignedBuffer<float> features_;  // [network][tap][order_stride]
  AlignedBuffer<float> kernels_;   // [filter][block of a panel][N][16]
  std::vector<WorkerScratch> workers_;
};

}  // namespace m2
