// What a layer is told beside its rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "train/models/model.h"

namespace m2::train {

struct LayerInput {
  Pass pass;
  int64_t layer = 0;       // its number, or -1 outside the layers
  int64_t first_text = 0;  // Batch::first_text
  // Rows of each text, int64 (B), where pads are to be left out of the convolutions.
  std::optional<at::Tensor> lengths;
  // What is added to attention's scores, (B or 1, heads or 1, L or 1, L); undefined: nothing.
  at::Tensor attention_bias;
};

}  // namespace m2::train
