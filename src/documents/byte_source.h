// documents: texts out of files: plain text, JSON lines, compressed or not, folders of them.
// Uses checkpoint (its JSON) and core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace m2 {

enum class Compression { kNone, kGzip, kZstd };

// By the ending of a file's name: .gz, .zst; `rest` gets the name without it.
Compression compression_of(std::string_view name, std::string_view& rest);

// The bytes of a file from front to back, expanded where it is compressed. Several gzip members or
// zstd frames one after the other are one text; zstd windows may have up to 2^27 bytes (--long=27).
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills `buffer`, which is not empty, from its front; returns how many bytes came, 0 at the end.
  // Error(kInput) that names the file: unreadable, damaged, cut short, or more bytes than its
  // limit.
  virtual size_t read(std::span<char> buffer) = 0;
  // Bytes of the file on disk that were taken so far.
  virtual uint64_t bytes_taken() const = 0;
};

// `largest` bounds the bytes of a compressed file's content: a small file can expand without end.
std::unique_ptr<ByteSource> open_bytes(const std::string& path, Compression compression,
                                       uint64_t largest);

}  // namespace m2
