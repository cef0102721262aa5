#pragma once

#include <set>
#include <string>
#include <string_view>

#include "config/value.h"

namespace m2 {

// `text` with every balanced ${…} on one line turned into a pair of private-use characters. The
// YAML library rejects braces inside [ ]; the marks are plain text to it, and no file holds them.
std::string mark_interpolations(std::string_view text);

// Replaces marked ${name} by the value that `name` has in the file, as OmegaConf does: dotted names
// descend, from the root; a scalar that is one ${…} takes the value with its type, within other
// text it is spelled out; names may hold ${…} themselves. Only what is asked for is resolved.
class Interpolation {
 public:
  // `root` must outlive this; `source` names the file in errors.
  Interpolation(const Value& root, std::string source);

  // `value` with everything in it resolved. Throws Error(kInput) for a name that the file does not
  // have, one that leads to itself, resolvers such as ${env:X}, relative names, and results that
  // grow without sense.
  Value resolve(const Value& value);
  // The names, dotted, that ${…} have asked for so far.
  const std::set<std::string>& names() const { return names_; }

 private:
  Value resolve(const Value& value, int depth);
  Value resolve_text(std::string_view text, int depth);
  Value lookup(const std::string& name, int depth);
  void spend(size_t amount);
  [[noreturn]] void refuse(std::string_view name, const char* why) const;

  const Value& root_;
  std::string source_;
  std::set<std::string> names_;
  size_t spent_ = 0;
};

}  // namespace m2
