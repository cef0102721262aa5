// Times of a training step's parts, against libtorch's own GEMM.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/model_config.h"

namespace m2::train {

struct StepBenchCase {
  int64_t length = 128;  // tokens of each text, and of the model
  int64_t texts = 32;    // one micro-batch
};

struct StepBenchOptions {
  std::string preset = "m2-bert-80M";
  double label_share = 0.30;  // of the tokens
  bool bf16 = false;
  bool recompute = false;
  int repeats = 5;
};

// Medians over the repeats, in seconds.
struct StepTimes {
  StepBenchCase size;
  int64_t labelled = 0;
  double forward = 0, backward = 0, update = 0;  // update: gradient norm and AdamW
  double flops = 0;  // of forward and backward: three times the dense work, the head's by label
  int64_t peak_bytes = 0;  // resident memory of the process

  double seconds() const { return forward + backward + update; }
};

struct StepBenchResult {
  std::vector<StepTimes> rows;
  double gemm_rate = 0;  // the best met between the timings, in operations a second
  // Share of that rate which the whole step reaches.
  double roofline_share(const StepTimes& row) const {
    return row.flops / row.seconds() / gemm_rate;
  }
};

// Random texts through a model of random weights. Errors as preset()'s; Error(kInterrupted).
StepBenchResult bench_steps(const StepBenchOptions& options,
                            const std::vector<StepBenchCase>& cases);

}  // namespace m2::train
