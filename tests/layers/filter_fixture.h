// Both filters of a layer of a small model, for tests of what is made of them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "kernels/layout.h"
#include "layers/filter_spectra.h"
#include "layers/small_model.h"
#include "layers/weights.h"

namespace m2 {

class FilterFixture : public testing::Test {
 protected:
  static constexpr size_t kSmall = 64, kLarge = 512;  // transform sizes

  FilterPair filters() const { return {&gated_, &residual_}; }

  size_t bytes(size_t points) const {
    return channel_blocks(gated_.channels()) * fft_plan(points)->spectrum_floats() * sizeof(float);
  }

  // As floats, whatever they are kept as.
  static std::vector<float> copy(const Spectra& spectra) {
    std::vector<float> values(spectra.floats.data(), spectra.floats.data() + spectra.floats.size());
    const size_t blocks = spectra.scales.size() / (2 * kChannelBlock);
    for (size_t at = 0; at < spectra.halves.size(); ++at) {
      const size_t block = at / (spectra.halves.size() / blocks);
      const size_t filter = at / (2 * kChannelBlock) % 2;
      values.push_back(f16_to_float(spectra.halves[at]) *
                       spectra.scales[(block * 2 + filter) * kChannelBlock + at % kChannelBlock]);
    }
    return values;
  }

  std::vector<float> make(size_t points, Executor& executor, DType dtype = DType::kF32) const {
    SpectrumMaker maker;
    Spectra spectra;
    maker.make(filters(), *fft_plan(points), dtype, executor, spectra);
    return copy(spectra);
  }

  ThreadPool pool_{2};
  ModelConfig config_ = small_config();
  Weights weights_{config_, std::make_shared<MemoryTensors>(config_)};
  std::string prefix_ = "bert.encoder.layer.0.attention.";
  HyenaFilter gated_{weights_, prefix_ + "filter_fn"};
  HyenaFilter residual_{weights_, prefix_ + "filter_fn2"};
};

}  // namespace m2
