// Clipping by the global norm of the gradients.
#pragma once

#include <vector>

#include "train/models/parameter_set.h"

namespace m2::train {

// The L2 norm over all gradients together, summed in double over pieces of fixed size: the same
// bits for any number of threads. Missing gradients count as zeros; a NaN or an infinity in one
// shows in the result.
double gradient_norm(const std::vector<ParameterTensor>& parameters);

// min(1, max_norm/(norm + 1e-6)): what gradients are multiplied with.
double clipping_factor(double norm, double max_norm);

}  // namespace m2::train
