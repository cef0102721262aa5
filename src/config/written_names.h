// The names that a model's weights are written under.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/parameters.h"

namespace m2 {

enum class NameStyle : uint8_t {
  kM2,       // the parameter list's names, what is tied once
  kUpstream  // what the family's own code asks for
};

struct WrittenName {
  std::string name;       // in the file
  std::string parameter;  // whose values it has
};

// The names for a file that holds the parameters `held`, in their order. Upstream is the research
// code for M2-BERT and MosaicBERT, whose load_state_dict wants each of a tied group; for plain BERT
// it is transformers, which ties them itself.
std::vector<WrittenName> written_names(const ModelConfig& config,
                                       const std::vector<Parameter>& held, NameStyle style);

// The buffer of positions, int64 0, 1, … of shape (1, max_position_embeddings), that the research
// code asks for beside position embeddings; nothing where no code does.
std::optional<std::string> position_ids_name(const ModelConfig& config, NameStyle style);

// Whether one of `held` is a head of masked language modelling, a pooler, …, beyond what is tied.
bool holds_part(const std::vector<Parameter>& held, Part part);

// config.json for the style: kM2 as to_json does it, kUpstream with the class of the heads in
// `held` and the keys that the research code looks for beside.
std::string to_json(const ModelConfig& config, const std::vector<Parameter>& held, NameStyle style);

}  // namespace m2
