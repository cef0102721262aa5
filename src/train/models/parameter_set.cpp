#include "train/models/parameter_set.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>

#include <memory>
#include <optional>
#include <span>

#include "config/name_matching.h"
#include "core/error.h"
#include "core/text.h"

namespace m2::train {
namespace {

DType dtype_of(at::ScalarType type) {
  switch (type) {
    case at::kDouble:
      return DType::kF64;
    case at::kFloat:
      return DType::kF32;
    case at::kHalf:
      return DType::kF16;
    case at::kBFloat16:
      return DType::kBF16;
    case at::kLong:
      return DType::kI64;
    case at::kInt:
      return DType::kI32;
    default:
      M2_CHECK(type == at::kByte);
      return DType::kU8;
  }
}

std::span<float> floats_of(const at::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

// The file's value of a parameter, checked, as fp32.
at::Tensor read_values(const Parameter& parameter, const TensorView& tensor,
                       const std::string& source) {
  if (tensor.shape != parameter.shape) {
    throw input_error(concat(source, ": the weight ", parameter.name, " has the shape ",
                             shape_text(tensor.shape), ", the model to train asks for ",
                             shape_text(parameter.shape)));
  }
  if (!is_floating(tensor.dtype)) {
    throw input_error(concat(source, ": the weight ", parameter.name, " is stored as ",
                             dtype_name(tensor.dtype), "; fp32, fp16 and bf16 are trained on"));
  }
  const at::Tensor values = at::empty(parameter.shape, at::kFloat);
  widen_to_float(tensor.dtype, tensor.data, floats_of(values));
  if (!at::isfinite(values).all().item<bool>()) {
    throw input_error(concat(source, ": the weight ", parameter.name,
                             " holds a NaN or an infinity: the file is damaged or its training "
                             "diverged"));
  }
  return values;
}

}  // namespace

ParameterSet::ParameterSet(const ModelConfig& config, const ParameterScope& scope, uint64_t seed,
                           at::ScalarType type)
    : config_(config), list_(m2::parameters(config, scope)) {
  for (const Parameter& parameter : list_) {
    if (!parameter.tied_to.empty()) {
      index_[parameter.name] = index_.at(parameter.tied_to);
      continue;
    }
    at::Tensor values = at::empty(parameter.shape, at::kFloat);
    initialise(parameter, config, seed, floats_of(values));
    values = values.to(type);
    values.requires_grad_(parameter.trainable);
    index_[parameter.name] = all_.size();
    all_.push_back({parameter, values});
  }
}

std::vector<ParameterTensor> ParameterSet::trained() const {
  std::vector<ParameterTensor> result;
  for (const ParameterTensor& parameter : all_) {
    if (parameter.description.trainable) result.push_back(parameter);
  }
  return result;
}

const at::Tensor& ParameterSet::get(const std::string& name) const {
  const auto found = index_.find(name);
  M2_CHECK(found != index_.end());
  return all_[found->second].values;
}

std::vector<at::Tensor> ParameterSet::trained_below(const std::string& prefix) const {
  std::vector<at::Tensor> result;
  for (const ParameterTensor& parameter : all_) {
    const bool below = parameter.description.name.compare(0, prefix.size(), prefix) == 0;
    if (below && parameter.description.trainable) result.push_back(parameter.values);
  }
  return result;
}

std::vector<std::string> ParameterSet::load(const TensorFile& file, const std::string& source) {
  const NameMatch match = match_names(config_, list_, file.names(), source);
  std::vector<std::string> kept;
  for (ParameterTensor& parameter : all_) {
    const std::string* name = match.find(parameter.description.name);
    if (name == nullptr) {
      kept.push_back(parameter.description.name);
      continue;
    }
    parameter.values.data().copy_(read_values(parameter.description, *file.find(*name), source));
  }
  return kept;
}

void ParameterSet::clear_gradients() {
  for (ParameterTensor& parameter : all_) parameter.values.mutable_grad() = at::Tensor();
}

TensorView view_of(const at::Tensor& tensor) {
  M2_CHECK(tensor.is_contiguous() && tensor.is_cpu());
  return {dtype_of(tensor.scalar_type()), tensor.sizes().vec(), tensor.const_data_ptr()};
}

}  // namespace m2::train
