// Small models, batches and comparisons for the tests of training.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/tensor_file.h"
#include "config/model_config.h"
#include "core/tensor_view.h"
#include "train/models/model.h"

namespace m2::train {

// ‖a − b‖/‖b‖ in double; where b is all zeros, ‖a‖.
double relative_error(const at::Tensor& a, const at::Tensor& b);

// A copy of what a file holds: float32, float64 or int64.
at::Tensor tensor_of(const TensorView& view);
at::Tensor read_npy(const std::string& path);

// Three layers at most, widths that no lane count divides, no dropout: M2-BERT with every
// convolution, MosaicBERT with a gate, or BERT.
ModelConfig small_config(Family family);

// A model of that configuration with all heads whose values are spread out, so that every part
// matters: at the published initialisation the long convolutions are nearly zero.
std::unique_ptr<Model> spread_model(const ModelConfig& config, at::ScalarType type,
                                    bool freeze_pad_row = false);

// Random words in texts of these lengths, padded with 0 to `length`, about a third labelled; a text
// of length 1 has no label.
Batch random_batch(const ModelConfig& config, const std::vector<int64_t>& lengths, int64_t length,
                   uint64_t seed);
// Texts [first, first + count) of a batch.
Batch part_of(const Batch& batch, int64_t first, int64_t count);

// Copies of the gradients of all that trains, by name.
std::map<std::string, at::Tensor> gradients(const Model& model);
// The gradients of the batch's mean loss over its labelled positions; the loss in `loss`.
std::map<std::string, at::Tensor> gradients_of(Model& model, const Batch& batch, const Pass& pass,
                                               double* loss = nullptr);

// Folders of ../shared/golden whose names end with `ending`; empty where they are not to be had.
std::vector<std::string> shared_goldens(const std::string& ending);

}  // namespace m2::train
