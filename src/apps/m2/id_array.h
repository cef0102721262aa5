// Token ids from .npy files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace m2 {

// [rows][length]; empty where no file was named.
struct IdArray {
  std::vector<int64_t> values;
  size_t rows = 0, length = 0;

  std::span<const int64_t> row(size_t index) const {
    if (values.empty()) return {};
    return std::span(values).subspan(index * length, length);
  }
};

// An array of integers, [texts][tokens] or [tokens]. Error(kInput) for any other.
IdArray read_ids(const std::string& path);

// The same, of the shape of `ids`, which came from `ids_path`; empty for an empty path.
IdArray read_ids_like(const IdArray& ids, const std::string& path, const std::string& ids_path);

}  // namespace m2
