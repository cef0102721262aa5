// Base64 with the standard alphabet and padding (RFC 4648).
#pragma once

#include <span>
#include <string>

namespace m2 {

// Of the floats' bytes, little-endian.
std::string base64_of_floats(std::span<const float> values);

}  // namespace m2
