// NumPy .npy files (format versions 1, 2 and 3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "core/mapped_file.h"
#include "core/tensor_view.h"

namespace m2 {

// A memory-mapped .npy file. Little-endian bool, int8, uint8, int16, int32, int64, float16,
// float32 and float64 in C order; everything else (Fortran order, big-endian, structures, objects)
// is refused by a line that says which. The data must end with the file.
class NpyFile {
 public:
  explicit NpyFile(const std::string& path);
  // The same over bytes that outlive the object; `path` serves messages.
  NpyFile(std::span<const std::byte> bytes, const std::string& path);

  // Points into the mapping; lives as long as the object.
  const TensorView& tensor() const { return tensor_; }

 private:
  std::unique_ptr<MappedFile> file_;
  TensorView tensor_;
};

// Writes an array of shape (rows, row_shape...) as a stream. With `rows` given the header is final
// and `out` may be a pipe; without it finish() goes back and writes the number of rows met, so
// `out` must be seekable. All dtypes but kBF16, which .npy does not have (M2_CHECK).
// Error(kFailed) when the stream fails.
class NpyWriter {
 public:
  NpyWriter(std::ostream& out, DType dtype, std::vector<int64_t> row_shape,
            std::optional<int64_t> rows = std::nullopt);
  // `data` is whole rows, contiguous.
  void write(std::span<const std::byte> data);
  // Checks that the promised rows were written, or patches the header; then flushes.
  void finish();

 private:
  void write_header(int64_t rows);

  std::ostream& out_;
  std::ostream::pos_type start_;
  DType dtype_;
  std::vector<int64_t> row_shape_;
  std::optional<int64_t> rows_;
  size_t row_bytes_ = 0;
  int64_t written_ = 0;
};

}  // namespace m2
