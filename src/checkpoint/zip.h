// Zip archives from outside, read in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/aligned_buffer.h"

namespace m2 {

// What an archive may ask for. Weights hardly compress, so real archives stay far below.
struct ZipLimits {
  uint64_t entries = uint64_t{1} << 20;
  uint64_t inflated_bytes = uint64_t{4} << 30;  // of all deflated entries that are read
  uint64_t ratio = 200;                         // of one deflated entry of more than 1 MB
  // A fuzzer switches the check off: what it changes would never get past it.
  bool check_crc = true;
};

struct ZipEntry {
  std::string name;
  uint64_t size = 0;         // as read
  uint64_t stored_size = 0;  // in the archive
  uint64_t begin = 0;        // of the data, in the archive
  uint64_t record = 0;       // of the local header before it
  uint32_t crc = 0;
  bool deflated = false;
};

// An archive with or without zip64, entries stored or deflated. Refused with Error(kInput): what
// is cut or inconsistent, several disks, encryption, other methods, names that are absolute,
// climb with "..", repeat or are no UTF-8, entries that overlap, and expansion beyond the limits.
class ZipFile {
 public:
  // Reads the directory. `bytes` must outlive the object; `path` serves messages.
  ZipFile(std::span<const std::byte> bytes, const std::string& path, const ZipLimits& limits = {});

  ZipFile(const ZipFile&) = delete;
  ZipFile& operator=(const ZipFile&) = delete;

  const std::vector<ZipEntry>& entries() const { return entries_; }
  const ZipEntry* find(std::string_view name) const;

  // An entry's bytes, checked against its CRC the first time. Those of a stored entry lie in the
  // archive itself; a deflated one is inflated once, into memory of this object. Not thread-safe.
  std::span<const std::byte> read(const ZipEntry& entry);

 private:
  std::span<const std::byte> inflate(const ZipEntry& entry);

  std::span<const std::byte> bytes_;
  std::string path_;
  ZipLimits limits_;
  std::vector<ZipEntry> entries_;
  std::map<std::string_view, size_t> by_name_;
  std::map<std::string_view, std::span<const std::byte>> read_;
  std::vector<AlignedBuffer<std::byte>> inflated_;
  uint64_t inflated_bytes_ = 0;
};

}  // namespace m2
