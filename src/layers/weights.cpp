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

Weights::Weights(const ModelConfig& config, std::shared_ptr<const TensorFile> file,
                 std::optional<DType> products)
    : config_(config), products_(DType::kF32), file_(std::move(file)) {
  const ParameterScope everything = {true, true, true};
  const std::vector<Parameter> wanted = m2::parameters(config, everything);
  std::vector<std::string> names = names_of(*file_, wanted);
  take_scales(wanted, names);
  file_names_ = match_names(config, wanted, names, config.source).file_names;
  for (const Parameter& parameter : wanted) {
    const TensorView* tensor = view(parameter.name);
    if (tensor == nullptr) continue;
    check(parameter, *tensor);
    if (tensor->dtype == DType::kI8) products_ = DType::kI8;
    parameters_.push_back(parameter);
  }
  products_ = products.value_or(products_);
}

// Moves the names of scales out of `names`.
void Weights::take_scales(const std::vector<Parameter>& wanted, std::vector<std::string>& names) {
  std::map<std::string, std::string> parameters;  // by the name of their scales
  for (const Parameter& parameter : wanted) {
    if (parameter.product == Product::kLarge) {
      parameters[scale_name(parameter.name)] = parameter.name;
    }
  }
  const auto is_taken = [&](const std::string& name) {
    const auto found = parameters.find(canonical_name(name));
    return found != parameters.end() && scale_names_.emplace(found->second, name).second;
  };
  names.erase(std::remove_if(names.begin(), names.end(), is_taken), names.end());
}

void Weights::check(const Parameter& parameter, const TensorView& tensor) const {
  if (tensor.shape != parameter.shape) {
    throw input_error(concat("the weight ", parameter.name, " has the shape ",
                             shape_text(tensor.shape), " in the file, but the configuration (",
                             config_.source, ") asks for ", shape_text(parameter.shape)));
  }
  const TensorView* stored_scales = scales(parameter.name);
  if (is_floating(tensor.dtype)) {
    if (stored_scales == nullptr) return;
    throw input_error(concat("the weight ", parameter.name, " is stored as ",
                             dtype_name(tensor.dtype), ", but the file has scales for it, ",
                             scale_name(parameter.name), ": those are of int8 alone"));
  }
  if (tensor.dtype != DType::kI8 || parameter.product != Product::kLarge) {
    throw input_error(concat("the weight ", parameter.name, " is stored as ",
                             dtype_name(tensor.dtype), "; fp32, fp16 and bf16 are read",
                             parameter.product == Product::kLarge ? ", and int8 with scales" : ""));
  }
  if (stored_scales == nullptr) {
    throw input_error(concat("the weight ", parameter.name, " is stored as int8, but the file has ",
                             "no scales for it, ", scale_name(parameter.name)));
  }
  const std::vector<int64_t> expected = {parameter.outputs()};
  if (stored_scales->dtype != DType::kF32 || stored_scales->shape != expected) {
    throw input_error(concat(scale_name(parameter.name), " is stored as ",
                             dtype_name(stored_scales->dtype), " of the shape ",
                             shape_text(stored_scales->shape),
                             "; scales are fp32, one an output: ", shape_text(expected)));
  }
}

const TensorView* Weights::view(const std::string& parameter) const {
  const auto name = file_names_.find(parameter);
  return name == file_names_.end() ? nullptr : file_->find(name->second);
}

const TensorView* Weights::scales(const std::string& parameter) const {
  const auto name = scale_names_.find(parameter);
  return name == scale_names_.end() ? nullptr : file_->find(name->second);
}

bool Weights::has(const std::string& parameter) const {
  return view(parameter) != nullptr;
}

void Weights::widen_integers(const std::string& parameter, const TensorView& tensor,
                             std::span<float> out) const {
  const TensorView& stored_scales = *scales(parameter);
  std::vector<float> scale_of(static_cast<size_t>(stored_scales.elements()));
  widen_to_float(stored_scales.dtype, stored_scales.data, scale_of);
  const size_t width = out.size() / scale_of.size();
  const int8_t* integers = static_cast<const int8_t*>(tensor.data);
  for (size_t output = 0; output < scale_of.size(); ++output) {
    const float scale = scale_of[output];
    if (!(scale >= 0)) {
      throw input_error(concat(scale_name(parameter), " holds ", scale, " for output ", output,
                               "; scales are 0 or more: the file is damaged"));
    }
    for (size_t i = output * width; i < (output + 1) * width; ++i) {
      out[i] = scale * static_cast<float>(integers[i]);
    }
  }
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
    const std::span<float> copy(result.copy_.data(), count);
    if (tensor->dtype == DType::kI8) {
      widen_integers(parameter, *tensor, copy);
    } else {
      widen_to_float(tensor->dtype, tensor->data, copy);
    }
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
