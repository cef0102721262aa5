// layers: the parts of an encoder, each made from its weights. Uses ops and what lies below.
//
// The values of a model's parameters, from a checkpoint.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/tensor_file.h"
#include "config/model_config.h"
#include "config/parameters.h"
#include "core/aligned_buffer.h"

namespace m2 {

// fp32 values: in the checkpoint's mapping where they lie there as fp32, else a copy. At its end it
// lets the mapping's pages leave memory.
class FloatTensor {
 public:
  FloatTensor() = default;
  ~FloatTensor() { release_pages(); }
  FloatTensor(FloatTensor&&) = default;
  FloatTensor& operator=(FloatTensor&&) = default;

  std::span<const float> values() const { return values_; }
  const float* data() const { return values_.data(); }
  // Lets the mapping's pages leave memory now; those that are read again come back.
  void release_pages() const;

 private:
  friend class Weights;
  std::span<const float> values_;
  AlignedBuffer<float> copy_;
  std::shared_ptr<const TensorFile> file_;  // keeps the mapping
};

class Weights {
 public:
  // `products` is the number type that the encoder's large products are computed in: kF32, kBF16 or
  // kI8 (ops/operand.h).
  //
  // Matches the file's names with the configuration's parameters. Throws Error(kInput) that names a
  // missing weight, one of the wrong shape, or one that the configuration has no place for.
  Weights(const ModelConfig& config, std::shared_ptr<const TensorFile> file,
          DType products = DType::kF32);

  const ModelConfig& config() const { return config_; }
  DType products() const { return products_; }
  // The same where int8 would cost too much: bf16 then.
  DType sensitive_products() const { return products_ == DType::kI8 ? DType::kBF16 : products_; }
  bool has(const std::string& parameter) const;

  // The parameter's values. Throws Error(kInput) that names a weight which holds a NaN or an
  // infinity.
  FloatTensor get(const std::string& parameter) const;

  // Parameters of the configuration that the file holds, heads included.
  const std::vector<Parameter>& parameters() const { return parameters_; }
  // The tensor behind a parameter; null where the file lacks it.
  const TensorView* view(const std::string& parameter) const;

 private:
  ModelConfig config_;
  DType products_;
  std::shared_ptr<const TensorFile> file_;
  std::vector<Parameter> parameters_;
  std::map<std::string, std::string> file_names_;  // by parameter
};

}  // namespace m2
