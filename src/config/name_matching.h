// Finding a model's parameters under the names that a file has for them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/parameters.h"

namespace m2 {

struct NameMatch {
  // Parameter name to name in the file, for every parameter whose values the file holds. One of a
  // tied group without a name of its own has that of another of its group.
  std::map<std::string, std::string> file_names;
  // Optional parameters that the file lacks: pooler, heads.
  std::vector<std::string> missing;
  // Names of the file that are no parameter asked for and may be there: buffers of the research
  // code, heads.
  std::vector<std::string> surplus;

  // The name in the file, or nullptr.
  const std::string* find(const std::string& parameter) const;
};

// The name without what wraps it: leading "module." and "model.", a missing "bert.", and the gamma
// and beta that LayerNorm's weight and bias had in old files.
std::string canonical_name(const std::string& file_name);

// Matches `wanted`, a list of parameters() for this config, with the names in a file; `source`
// names it in errors. Throws Error(kInput), one line:
// - where the file's layers are another family's than the config's, naming both;
// - for a required parameter that the file lacks: the first few, and the config's key that asks for
// it
//   where there is one;
// - for a name in the file that is neither a parameter nor may be there (parts with "flashfft",
//   position_ids, num_batches_tracked, classifier.*, cls.*, and what a wider scope would hold),
//   with the key that would ask for it;
// - where two names of the file mean one parameter.
NameMatch match_names(const ModelConfig& config, const std::vector<Parameter>& wanted,
                      const std::vector<std::string>& file_names, const std::string& source);

}  // namespace m2
