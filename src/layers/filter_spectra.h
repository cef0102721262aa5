// The spectra of a layer's filters: they depend on the weights and the transform size alone.
#pragma once

#include <cstddef>
#include <map>
#include <memory>

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

// Keeps spectra within a budget of bytes, those of the preferred transform size before all others,
// then small ones first; what does not fit is made again each time into one buffer. Either way the
// bits are the same. Not thread-safe.
class SpectrumStore {
 public:
  explicit SpectrumStore(size_t budget_bytes) : budget_(budget_bytes) {}

  // The spectra of layer number `layer`; valid until the next call.
  const Spectra& get(size_t layer, const FilterPair& filters, const FftPlan& plan,
                     Executor& executor);

  // The size that comes next several times over; 0: none.
  void prefer(size_t points) { preferred_ = points; }

  size_t kept_bytes() const { return kept_bytes_; }
  // How often spectra were made.
  size_t made() const { return made_; }
  PhaseSeconds seconds() const { return maker_.seconds(); }

 private:
  bool make_room(size_t points, size_t bytes);

  size_t budget_;
  size_t preferred_ = 0;
  size_t kept_bytes_ = 0;
  size_t made_ = 0;
  std::map<std::pair<size_t, size_t>, Spectra> kept_;  // by (transform size, layer)
  Spectra unkept_;
  SpectrumMaker maker_;
};

}  // namespace m2
