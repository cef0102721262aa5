// train: the models that are trained, their losses, optimizers, loop and checkpoints. Uses
// torch_ops and the common ground.
//
// A model's parameters as tensors, made from the parameter list.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/tensor_file.h"
#include "config/model_config.h"
#include "config/parameters.h"
#include "core/tensor_view.h"

namespace m2::train {

struct ParameterTensor {
  Parameter description;
  at::Tensor values;  // a leaf, of description.shape; requires_grad where it trains
};

class ParameterSet {
 public:
  // Initial values as initialise() gives them for `seed`; `type` is kFloat or kDouble.
  ParameterSet(const ModelConfig& config, const ParameterScope& scope, uint64_t seed,
               at::ScalarType type = at::kFloat);

  // In the order of the parameter list; what is tied to another is left out.
  const std::vector<ParameterTensor>& all() const { return all_; }
  // Those of all() that train, in the same order.
  std::vector<ParameterTensor> trained() const;
  bool has(const std::string& name) const { return index_.count(name) != 0; }
  // By its name in the list: a tied parameter is the tensor it is tied to.
  const at::Tensor& get(const std::string& name) const;
  // The values that train of the parameters whose names begin with `prefix`.
  std::vector<at::Tensor> trained_below(const std::string& prefix) const;

  // Takes over the values of a file, matched as match_names() does. Returns the optional parameters
  // that the file lacks, which keep their values. Throws Error(kInput), one line that begins with
  // `source`: a weight that is missing, surplus, of another shape, no floating-point number, or
  // that holds a NaN or an infinity. Then the values are part old, part new.
  std::vector<std::string> load(const TensorFile& file, const std::string& source);

  // Takes every gradient away; the next backward pass makes new ones.
  void clear_gradients();

 private:
  ModelConfig config_;
  std::vector<Parameter> list_;
  std::vector<ParameterTensor> all_;
  std::map<std::string, size_t> index_;  // into all_, of every name of the list
};

// The memory of a contiguous CPU tensor, which must outlive the view.
TensorView view_of(const at::Tensor& tensor);

}  // namespace m2::train
