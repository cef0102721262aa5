// The models that have a name.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "config/model_config.h"

namespace m2 {

// Published sizes: four of M2-BERT, the bases of MosaicBERT and BERT. All have 12 layers, 12
// heads, BERT's vocabulary of 30,522 and hidden dropout 0.1.
struct Preset {
  const char* name;
  Family family;
  int64_t hidden_size;
  int64_t intermediate_size;
};

inline constexpr std::array<Preset, 6> kPresets{{
    {"m2-bert-80M", Family::kM2Bert, 768, 3072},
    {"m2-bert-110M", Family::kM2Bert, 960, 3840},
    {"m2-bert-260M", Family::kM2Bert, 1536, 6144},
    {"m2-bert-341M", Family::kM2Bert, 1792, 7168},
    {"mosaic-bert-base", Family::kMosaicBert, 768, 3072},
    {"bert-base", Family::kBert, 768, 3072},
}};

// The configuration of a new model of that name for texts of up to `length` tokens, with the
// padding contract its family was published with. M2-BERT as pretrained: gated Monarch MLP of 4
// blocks, both long convolutions, both directions, filters of order 128 on 5 features, position
// embeddings. MosaicBERT as pretrained: no gate, no positions. Throws Error(kUsage) for an unknown
// name, listing the known ones, and for a length no model can have.
ModelConfig preset(const std::string& name, int64_t length);

}  // namespace m2
