// A small M2-BERT of random weights, written to a folder and loaded as any model is.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "inference/session.h"

namespace m2 {

inline constexpr int64_t kSmallModelLength = 600;
inline constexpr int32_t kSmallModelWords = 64;

// Its files; removed at the end of the process's tests.
std::filesystem::path small_model_folder(Padding padding);

// 40 channels, two layers, both directions, residual convolution, pooler. Biases are not zero, as
// they are initially, so that what leaves one out shows.
std::shared_ptr<const Model> small_model(Padding padding = Padding::kNone);

// The same with another configuration and other weights; `name` is that of its folder.
using EditConfig = std::function<void(ModelConfig&)>;
using EditWeight = std::function<void(const std::string& name, std::span<float> values)>;
std::shared_ptr<const Model> edited_model(const std::string& name, const EditConfig& edit_config,
                                          const EditWeight& edit_weight = {});

// Ids that depend on `seed`, all types 0, all counting.
TokenSequence some_tokens(size_t length, uint64_t seed);

// One vector a sequence.
std::vector<std::vector<float>> vectors_of(Session& session,
                                           const std::vector<TokenSequence>& sequences,
                                           const VectorRequest& request = {});

}  // namespace m2
