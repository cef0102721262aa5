// train/loop: one pretraining from its configuration to a model folder: steps, evaluation, micro-
// batches, stops, resume. Uses the parts of train below it, data and the common ground.
//
// How fast libtorch multiplies matrices here: the roof that training is held to.
#pragma once

namespace m2::train {

// Best fp32 rate of libtorch's own product of 2048×768 by 768×2304 over `repeats` runs, in
// floating-point operations a second, on the threads that libtorch has.
double measure_gemm_rate(int repeats);

}  // namespace m2::train
