// A small M2-BERT of random weights, in memory.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/tensor_file.h"
#include "config/parameters.h"
#include "core/aligned_buffer.h"

namespace m2 {

inline ModelConfig small_config() {
  ModelConfig config;
  config.hidden_size = 40;  // not a multiple of a channel block
  config.intermediate_size = 80;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.vocab_size = 64;
  config.max_position_embeddings = config.long_conv_l_max = 300;
  config.use_positional_encodings = config.use_monarch_mlp = config.residual_long_conv = true;
  config.hyena_w = 10;
  config.hyena_emb_dim = 5;
  config.hyena_filter_order = 24;
  config.source = "a small model";
  validate(config);
  return config;
}

class MemoryTensors final : public TensorFile {
 public:
  explicit MemoryTensors(const ModelConfig& config) {
    for (const Parameter& parameter : parameters(config)) {
      AlignedBuffer<float>& values = values_[parameter.name];
      values.resize(static_cast<size_t>(parameter.elements()));
      initialise(parameter, config, 1, {values.data(), values.size()});
      tensors_[parameter.name] = {DType::kF32, parameter.shape, values.data()};
      names_.push_back(parameter.name);
    }
  }

  const std::vector<std::string>& names() const override { return names_; }
  const TensorView* find(std::string_view name) const override {
    const auto found = tensors_.find(std::string(name));
    return found == tensors_.end() ? nullptr : &found->second;
  }
  void release_pages(std::span<const std::byte>) const override {}
  std::string format() const override { return "memory"; }

  // Another tensor, whose data the caller keeps.
  void add(const std::string& name, const TensorView& tensor) {
    tensors_[name] = tensor;
    names_.push_back(name);
  }
  float* values(const std::string& name) { return values_.at(name).data(); }
  TensorView& tensor(const std::string& name) { return tensors_.at(name); }

 private:
  std::map<std::string, AlignedBuffer<float>> values_;
  std::map<std::string, TensorView> tensors_;
  std::vector<std::string> names_;
};

}  // namespace m2
