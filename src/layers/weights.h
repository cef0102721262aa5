// layers: the parts of an encoder, each made from its weights. Uses ops and what lies below.
//
// The values of a model's parameters, from a checkpoint.
#pragma once

#include <map>
#include <memory>
#include <optional>
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
  // kI8 (ops/operand.h). Without one, kI8 where the file stores a weight so, else kF32.
  //
  // Matches the file's names with the configuration's parameters. A weight of a large product may
  // be stored as int8 with fp32 scales beside it (scale_name()), one an output. Throws
  // Error(kInput) that names a missing weight, one of the wrong shape or number type, scales
  // without int8 or int8 without scales, or a weight that the configuration has no place for.
  Weights(const ModelConfig& config, std::shared_ptr<const TensorFile> file,
          std::optional<DType> products = std::nullopt);

  const ModelConfig& config() const { return config_; }
  DType products() const { return products_; }
  // The same where int8 would cost too much: bf16 then.
  DType sensitive_products() const { return product_type(Product::kSensitive, products_); }
  bool has(const std::string& parameter) const;

  // The parameter's values; of one stored as int8 each integer times its output's scale, rounded to
  // fp32. Throws Error(kInput) that names a weight which holds a NaN or an infinity, or scales
  // below zero.
  FloatTensor get(const std::string& parameter) const;

  // Parameters of the configuration that the file holds, heads included.
  const std::vector<Parameter>& parameters() const { return parameters_; }
  // The tensor behind a parameter; null where the file lacks it.
  const TensorView* view(const std::string& parameter) const;
  // The scales of a parameter that is stored as int8; null for others.
  const TensorView* scales(const std::string& parameter) const;

 private:
  void take_scales(const std::vector<Parameter>& wanted, std::vector<std::string>& names);
  void check(const Parameter& parameter, const TensorView& tensor) const;
  void widen_integers(const std::string& parameter, const TensorView& tensor,
                      std::span<float> out) const;

  ModelConfig config_;
  DType products_;
  std::shared_ptr<const TensorFile> file_;
  std::vector<Parameter> parameters_;
  std::map<std::string, std::string> file_names_;   // by parameter
  std::map<std::string, std::string> scale_names_;  // in the file, by parameter
};

}  // namespace m2
