#include "config/written_names.h"

#include <algorithm>

namespace m2 {

bool holds_part(const std::vector<Parameter>& held, Part part) {
  return std::any_of(held.begin(), held.end(), [&](const Parameter& parameter) {
    return parameter.part == part && parameter.tied_to.empty();
  });
}

std::vector<WrittenName> written_names(const ModelConfig& config,
                                       const std::vector<Parameter>& held, NameStyle style) {
  const bool tied_too = style == NameStyle::kUpstream && config.family != Family::kBert;
  std::vector<WrittenName> names;
  for (const Parameter& parameter : held) {
    if (parameter.tied_to.empty()) {
      names.push_back({parameter.name, parameter.name});
    } else if (tied_too && holds_part(held, parameter.part)) {
      names.push_back({parameter.name, parameter.tied_to});
    }
  }
  return names;
}

std::optional<std::string> position_ids_name(const ModelConfig& config, NameStyle style) {
  const bool asked = style == NameStyle::kUpstream && config.family != Family::kBert &&
                     config.use_positional_encodings;
  return asked ? std::optional<std::string>("bert.embeddings.position_ids") : std::nullopt;
}

}  // namespace m2
