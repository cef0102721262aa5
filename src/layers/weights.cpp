#include "layers/weights.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "config/name_matching.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

bool all_finite(std::span<const float> values) {
  // Zero times a finite number is zero; times NaN or infinity it is not. Sums of zeros vectorise.
  float sum = 0;
  for (const float value : values) sum += value * 0.0f;
  return sum == 0.0f;
}

// The file's names, with those of the wanted weights that it has but that are no plain tensors:
// asking for one says what it is, where otherwise it would seem to be missing.
std::vector<std::string> names_of(const TensorFile& file, const std::vector<Parameter>& wanted) {
  std::vector<std::string> names = file.names();
  for (const std::string& name : file.unreadable()) {
    const std::string canonical = canonical_name(name);
    const bool is_wanted = std::any_of(wanted.begin(), wanted.end(), [&](const Parameter& other) {
      return other.name == canonical;
    });
    if (is_wanted) names.push_back(name);
  }
  return names;
}

}  // namespace

void FloatTensor::release_pages() const {
  if (file_) file_->release_pages(std::as_bytes(values_));
}

Weights::Weights(const ModelConfig& config, std::shared_ptr<const TensorFile> file, DType products)
    : config_(config), products_(products), file_(std::move(file)) {
  const ParameterScope everything = {true, true, true};
  const std::vector<Parameter> wanted = m2::parameters(config, everything);
  file_names_ = match_names(config, wanted, names_of(*file_, wanted), config.source).file_names;
  for (const Parameter& parameter : wanted) {
    const TensorView* tensor = view(parameter.name);
    if (tensor == nullptr) continue;
    if (tensor->shape != parameter.shape) {
      throw input_error(concat("the weight ", parameter.name, " has the shape ",
                               shape_text(tensor->shape), " in the file, but the configuration (",
                               config.source, ") asks for ", shape_text(parameter.shape)));
    }
    if (!is_floating(tensor->dtype)) {
      throw input_error(concat("the weight ", parameter.name, " is stored as ",
                               dtype_name(tensor->dtype), "; fp32, fp16 and bf16 are read"));
    }
    parameters_.push_back(parameter);
  }
}

const TensorView* Weights::view(const std::string& parameter) const {
  const auto name = file_names_.find(parameter);
  return name == file_names_.end() ? nullptr : file_->find(name->second);
}

bool Weights::has(const std::string& parameter) const {
  return view(parameter) != nullptr;
}

FloatTensor Weights::get(const std::string& parameter) const {
  const TensorView* tensor = view(parameter);
  if (tensor == nullptr) throw input_error(concat("the file has no weight ", parameter));
  const size_t count = static_cast<size_t>(tensor->elements());
  FloatTensor result;
  const bool aligned = reinterpret_cast<uintptr_t>(tensor->data) % alignof(float) == 0;
  if (tensor->dtype == DType::kF32 && aligned) {
    result.values_ = {static_cast<const float*>(tensor->data), count};
    result.file_ = file_;
  } else {
    result.copy_.resize(count);
    widen_to_float(tensor->dtype, tensor->data, {result.copy_.data(), count});
    result.values_ = {result.copy_.data(), count};
  }
  if (!all_finite(result.values_)) {
    throw input_error(concat("the weight ", parameter,
                             " holds a NaN or an infinity: the file is damaged or its training "
                             "diverged"));
  }
  return result;
}

}  // namespace m2
