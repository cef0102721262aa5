// Activations that are computed again in the backward pass instead of kept.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace m2::train {

// body(x), of which the graph keeps x alone. `parameters` are all leaves that body uses and that
// train; body must give the same result each time it is called with the same x.
at::Tensor recomputed(const std::function<at::Tensor(const at::Tensor&)>& body, const at::Tensor& x,
                      const std::vector<at::Tensor>& parameters);

}  // namespace m2::train
