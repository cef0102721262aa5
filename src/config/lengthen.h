// A longer model of a shorter one: what training for longer texts starts from.
#pragma once

#include <cstdint>
#include <span>

#include "config/model_config.h"
#include "config/parameters.h"

namespace m2 {

// What becomes of a filter's time axis, pos_emb.t.
enum class FilterTime : uint8_t {
  kContinued,  // beyond 1 with the shorter model's step: its taps stay what they are
  kRescaled    // 0 … 1 over the longer length, the published form: every decay is slower
};

// `config` for texts of `length` tokens: long_conv_l_max and max_position_embeddings, whichever are
// shorter. Error(kUsage) when the model takes as many already, or no model can.
ModelConfig lengthened(const ModelConfig& config, int64_t length);

// Fills `out`, the values of `longer`, from the same parameter of the shorter model, whose extent
// along longer.length_axis is `stored_length`. Those values come first, bit by bit; then they
// repeat, the last time cut where the extent is no multiple, but for time that is kContinued.
// With kRescaled time is made anew.
void lengthen(const Parameter& longer, int64_t stored_length, std::span<const float> stored,
              FilterTime time, std::span<float> out);

}  // namespace m2
