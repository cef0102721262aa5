// What this process computes with, for checkpoints.
#pragma once

#include "train/checkpoints/run_state.h"

namespace m2::train {

Surroundings describe_surroundings(int threads);

}  // namespace m2::train
