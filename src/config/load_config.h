// Reading a configuration from the files that carry one, and writing it.
#pragma once

#include <string>

#include "config/model_config.h"
#include "config/value.h"

namespace m2 {

// The configuration in `path`: JSON as beside published checkpoints (config.json), or, by the
// ending .yaml or .yml, a training file of the research code, whose model.model_config is it.
//
// Family: monarch_mixer_sequence_mixing true is m2_bert; else any of alibi_starting_size,
// use_glu_mlp, use_monarch_mlp makes mosaic_bert; else bert. In YAML `model.name: hf_bert` is bert.
// Silent keys have ModelConfig's initial values; plain BERT has attention dropout 0.1, position
// embeddings and no gate. Keys of no effect here are listed in ignored_keys.
//
// In YAML ${name} and ${a.b} stand for the file's own keys, as in OmegaConf, resolved only where
// the model needs them. `pretrained_model_name` may be bert-base-uncased, whose sizes are the
// defaults, or a path, which means the same.
//
// Throws Error(kInput), one line with path and key, for a file that is missing, larger than 1 MiB,
// malformed, nested deeper than 32, or that repeats a key; for a value of the wrong type or out of
// range; for a missing key without default; for a switch that makes another model
// (sequence_token_planting, attention_pooling, use_flash_mm, other activations or positions).
ModelConfig load_model_config(const std::string& path);

// The same from the contents of that file.
ModelConfig parse_model_config(const std::string& text, const std::string& path);

// The model of a training file that parse_yaml has read; vocab_size is rounded up for plain BERT,
// as the research code does.
ModelConfig training_model_config(const Value& root, const std::string& source);

// The configuration file of a model: config.json in the folder, or beside the file; where there is
// none, the folder's only YAML file. A path that is itself such a file is returned. Throws
// Error(kInput) that names what was looked for.
std::string find_config(const std::string& folder_or_file);

// A complete config.json: everything load_model_config reads, under the research code's keys, plus
// "padding", and "pooling" where it was stated.
std::string to_json(const ModelConfig& config);

}  // namespace m2
