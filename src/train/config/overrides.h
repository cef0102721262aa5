#pragma once

#include <string>
#include <vector>

#include "config/value.h"

namespace m2 {

// Puts "a.b.c=value" into the tree, one after the other: the value is read as YAML (`x=` is null),
// maps on the way are made where they are missing. Throws Error(kUsage) that quotes the override
// for one without "=", with an empty name, through something that is no map, or whose value is no
// YAML.
void apply_overrides(Value& root, const std::vector<std::string>& overrides);

}  // namespace m2
