#include "config/name_matching.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr size_t kNamesShown = 3;

// Part of a weight's name that only one family has.
struct FamilySign {
  const char* part;
  Family family;
};
constexpr FamilySign kFamilySigns[] = {
    {".attention.in_linear.", Family::kM2Bert}, {".attention.self.Wqkv.", Family::kMosaicBert},
    {".attention.self.query.", Family::kBert},  {".attention.self.key.", Family::kBert},
    {".attention.self.value.", Family::kBert},
};

// Part of a weight's name that is there if and only if the config's switch is on.
struct Switch {
  const char* part;
  const char* key;
};
constexpr Switch kSwitches[] = {
    {".attention.layernorm.", "hyena_training_additions"},
    {".filter_fn2.", "residual_long_conv"},
    {".implicit_filter_rev.", "bidirectional"},
    {".position_embeddings.", "use_positional_encodings"},
};

bool contains(const std::string& name, const char* part) {
  return name.find(part) != std::string::npos;
}

// " (set …)" where a switch of the config explains the difference.
std::string hint(const std::string& name, const char* value) {
  for (const Switch& known : kSwitches) {
    if (contains(name, known.part)) {
      return concat(": set \"", known.key, "\": ", value, " in the config if the model is so");
    }
  }
  return "";
}

bool may_be_surplus(const std::string& canonical) {
  return contains(canonical, "flashfft") || canonical.ends_with("position_ids") ||
         contains(canonical, "num_batches_tracked") || canonical.starts_with("classifier.") ||
         canonical.starts_with("cls.") || canonical.starts_with("bert.pooler.");
}

// Canonical name to name in the file.
using Names = std::unordered_map<std::string, std::string>;

Names canonical_names(const std::vector<std::string>& file_names, const std::string& source) {
  Names names;
  for (const std::string& name : file_names) {
    const auto [place, added] = names.emplace(canonical_name(name), name);
    if (!added) {
      throw input_error(concat(source, ": holds both ", printable(place->second), " and ",
                               printable(name), ", which mean one weight"));
    }
  }
  return names;
}

void check_family(const ModelConfig& config, const Names& names, const std::string& source) {
  const FamilySign* other = nullptr;
  for (const auto& [canonical, name] : names) {
    for (const FamilySign& sign : kFamilySigns) {
      if (!contains(canonical, sign.part)) continue;
      if (sign.family == config.family) return;
      other = &sign;
    }
  }
  if (other == nullptr) return;
  throw input_error(concat(source, ": its weights (", std::string(other->part + 1),
                           "*) are those of ", family_name(other->family), ", its config",
                           config.source.empty() ? "" : " " + config.source, " says ",
                           family_name(config.family)));
}

// The name of the group whose values are always equal.
const std::string& group_of(const Parameter& parameter) {
  return parameter.tied_to.empty() ? parameter.name : parameter.tied_to;
}

void check_missing(const std::vector<std::string>& required, const std::string& source) {
  if (required.empty()) return;
  const size_t shown = std::min(required.size(), kNamesShown);
  const std::vector<std::string> first(required.begin(),
                                       required.begin() + static_cast<std::ptrdiff_t>(shown));
  const std::string more =
      required.size() > shown ? concat(" and ", required.size() - shown, " more") : "";
  throw input_error(
      concat(source, ": lacks the weight ", join(first, ", "), more, hint(required[0], "false")));
}

void collect_surplus(const Names& names, const std::unordered_set<std::string>& wanted,
                     const std::string& source, NameMatch& match) {
  std::vector<std::string> refused;
  for (const auto& [canonical, name] : names) {
    if (wanted.contains(canonical)) continue;
    (may_be_surplus(canonical) ? match.surplus : refused).push_back(name);
  }
  std::sort(match.surplus.begin(), match.surplus.end());
  if (refused.empty()) return;
  const std::string& first = *std::min_element(refused.begin(), refused.end());
  throw input_error(concat(source, ": holds ", printable(first, 120),
                           ", which the config's model does not have",
                           hint(canonical_name(first), "true")));
}

}  // namespace

const std::string* NameMatch::find(const std::string& parameter) const {
  const auto found = file_names.find(parameter);
  return found == file_names.end() ? nullptr : &found->second;
}

std::string canonical_name(const std::string& file_name) {
  std::string_view name = file_name;
  for (bool stripped = true; stripped;) {
    stripped = false;
    for (const std::string_view prefix : {"module.", "model."}) {
      if (!name.starts_with(prefix)) continue;
      name.remove_prefix(prefix.size());
      stripped = true;
    }
  }
  std::string result;
  for (const std::string_view part : {"embeddings.", "encoder.", "pooler."}) {
    if (name.starts_with(part)) result = "bert.";
  }
  result += name;
  if (result.ends_with(".LayerNorm.gamma")) return result.replace(result.size() - 5, 5, "weight");
  if (result.ends_with(".LayerNorm.beta")) return result.replace(result.size() - 4, 4, "bias");
  return result;
}

NameMatch match_names(const ModelConfig& config, const std::vector<Parameter>& wanted,
                      const std::vector<std::string>& file_names, const std::string& source) {
  const Names names = canonical_names(file_names, source);
  check_family(config, names, source);

  NameMatch match;
  std::unordered_set<std::string> known;
  std::unordered_map<std::string, std::string> groups;  // to the first name that the file has
  for (const Parameter& parameter : wanted) {
    known.insert(parameter.name);
    const auto found = names.find(parameter.name);
    if (found == names.end()) continue;
    match.file_names[parameter.name] = found->second;
    groups.emplace(group_of(parameter), found->second);
  }
  std::vector<std::string> required;
  for (const Parameter& parameter : wanted) {
    if (match.find(parameter.name) != nullptr) continue;
    const auto twin = groups.find(group_of(parameter));
    if (twin != groups.end()) {
      match.file_names[parameter.name] = twin->second;
    } else if (parameter.tied_to.empty()) {
      (parameter.optional ? match.missing : required).push_back(parameter.name);
    }
  }
  check_missing(required, source);
  collect_surplus(names, known, source, match);
  return match;
}

}  // namespace m2
