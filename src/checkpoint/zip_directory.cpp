#include "checkpoint/zip_directory.h"

#include <algorithm>
#include <optional>

#include "checkpoint/byte_reader.h"

namespace m2 {
namespace {

// Field layouts: the .ZIP application note, 4.3.7 (local header), 4.3.12 (directory), 4.3.14 to
// 4.3.16 (ends of the directory), 4.5.3 (zip64 extra field).
constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kEntrySignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocatorSignature = 0x07064b50;
constexpr size_t kEndBytes = 22, kLocatorBytes = 20, kEnd64Bytes = 56;
constexpr size_t kMaxCommentBytes = 65535;
constexpr uint16_t kFull16 = 0xFFFF;  // "see the zip64 field"
constexpr uint32_t kFull32 = 0xFFFFFFFF;
constexpr unsigned kEncryptedFlags = 0x2041;  // encrypted, strongly, or with hidden fields

struct Directory {
  uint64_t begin = 0;
  uint64_t bytes = 0;
  uint64_t entries = 0;
};

class DirectoryReader {
 public:
  DirectoryReader(std::span<const std::byte> bytes, const std::string& path,
                  const ZipLimits& limits)
      : bytes_(bytes), path_(path), limits_(limits) {}

  std::vector<ZipEntry> read() {
    const Directory directory = find_directory();
    if (directory.entries > limits_.entries) fail("it holds too many entries");
    ByteReader reader = at(directory.begin);
    std::vector<ZipEntry> entries;
    for (uint64_t i = 0; i < directory.entries; ++i) {
      entries.push_back(read_entry(reader));
      read_local_header(entries.back(), directory.begin);
    }
    if (reader.at() != directory.begin + directory.bytes) fail("its directory has another size");
    check_overlaps(entries);
    return entries;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw input_error(concat(path_, ": is no sound zip archive: ", problem, "; download it again"));
  }

  void want(bool condition, const char* problem) const {
    if (!condition) fail(problem);
  }

  ByteReader at(uint64_t offset) const {
    if (offset > bytes_.size()) fail("an offset points behind its end");
    return ByteReader(bytes_, path_, static_cast<size_t>(offset));
  }

  // The last record of the file; its comment must reach the file's end.
  size_t find_end() const {
    if (bytes_.size() < kEndBytes) fail("it is cut short");
    const size_t last = bytes_.size() - kEndBytes;
    for (size_t back = 0; back <= std::min(last, kMaxCommentBytes); ++back) {
      ByteReader reader(bytes_, path_, last - back);
      if (reader.number<uint32_t>() != kEndSignature) continue;
      reader.take(16);
      if (reader.number<uint16_t>() == back) return last - back;
    }
    fail("its directory is missing, it may be cut short");
  }

  Directory find_directory() const {
    const size_t end = find_end();
    ByteReader reader(bytes_, path_, end + 4);
    const auto disk = reader.number<uint16_t>();
    const auto directory_disk = reader.number<uint16_t>();
    const auto entries_here = reader.number<uint16_t>();
    Directory found;
    found.entries = reader.number<uint16_t>();
    found.bytes = reader.number<uint32_t>();
    found.begin = reader.number<uint32_t>();
    size_t directory_end = end;
    if (const auto end64 = find_end64(end)) {
      directory_end = *end64;
      read_end64(*end64, found);
    } else {
      want(disk == 0 && directory_disk == 0 && entries_here == found.entries,
           "it is one of several disks");
    }
    want(found.begin <= directory_end && found.bytes == directory_end - found.begin,
         "its directory does not lie at its end");
    return found;
  }

  std::optional<size_t> find_end64(size_t end) const {
    if (end < kLocatorBytes) return std::nullopt;
    ByteReader reader(bytes_, path_, end - kLocatorBytes);
    if (reader.number<uint32_t>() != kLocatorSignature) return std::nullopt;
    const auto disk = reader.number<uint32_t>();
    const auto offset = reader.number<uint64_t>();
    const auto disks = reader.number<uint32_t>();
    want(disk == 0 && disks <= 1, "it is one of several disks");
    want(end - kLocatorBytes >= kEnd64Bytes && offset == end - kLocatorBytes - kEnd64Bytes,
         "its zip64 directory end is not where it should be");
    return static_cast<size_t>(offset);
  }

  // Takes the zip64 numbers; those of the older record must agree where they are not "full".
  void read_end64(size_t offset, Directory& found) const {
    ByteReader reader(bytes_, path_, offset);
    want(reader.number<uint32_t>() == kEnd64Signature, "its zip64 directory end is missing");
    want(reader.number<uint64_t>() == kEnd64Bytes - 12,
         "its zip64 directory end is of no known size");
    reader.take(4);
    want(reader.number<uint32_t>() == 0 && reader.number<uint32_t>() == 0,
         "it is one of several disks");
    const auto entries_here = reader.number<uint64_t>();
    Directory whole;
    whole.entries = reader.number<uint64_t>();
    whole.bytes = reader.number<uint64_t>();
    whole.begin = reader.number<uint64_t>();
    want(entries_here == whole.entries, "it is one of several disks");
    want((found.entries == kFull16 || found.entries == whole.entries) &&
             (found.bytes == kFull32 || found.bytes == whole.bytes) &&
             (found.begin == kFull32 || found.begin == whole.begin),
         "its two directory ends disagree");
    found = whole;
  }

  ZipEntry read_entry(ByteReader& reader) const {
    want(reader.number<uint32_t>() == kEntrySignature, "a directory entry is damaged");
    reader.take(4);
    const unsigned flags = reader.number<uint16_t>();
    const auto method = reader.number<uint16_t>();
    reader.take(4);
    ZipEntry entry;
    entry.crc = reader.number<uint32_t>();
    entry.stored_size = reader.number<uint32_t>();
    entry.size = reader.number<uint32_t>();
    const auto name_bytes = reader.number<uint16_t>();
    const auto extra_bytes = reader.number<uint16_t>();
    const auto comment_bytes = reader.number<uint16_t>();
    const auto disk = reader.number<uint16_t>();
    reader.take(6);
    entry.record = reader.number<uint32_t>();
    entry.name = reader.text(name_bytes);
    read_zip64_field(reader.take(extra_bytes), entry);
    reader.take(comment_bytes);
    check_name(entry.name);
    want((flags & kEncryptedFlags) == 0, "it is encrypted");
    want(method == 0 || method == 8, "an entry is neither stored nor deflated");
    want(disk == 0, "it is one of several disks");
    entry.deflated = method == 8;
    want(entry.deflated || entry.size == entry.stored_size, "a stored entry has two sizes");
    return entry;
  }

  void read_zip64_field(std::span<const std::byte> extra, ZipEntry& entry) const {
    ByteReader reader(extra, path_);
    while (reader.left() >= 4) {
      const auto id = reader.number<uint16_t>();
      const auto field = reader.take(reader.number<uint16_t>());
      if (id != 1) continue;
      ByteReader numbers(field, path_);
      if (entry.size == kFull32) entry.size = numbers.number<uint64_t>();
      if (entry.stored_size == kFull32) entry.stored_size = numbers.number<uint64_t>();
      if (entry.record == kFull32) entry.record = numbers.number<uint64_t>();
      return;
    }
  }

  void check_name(const std::string& name) const {
    const bool control = std::any_of(name.begin(), name.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\\';
    });
    const std::string path = "/" + name + "/";
    if (name.empty() || control || name.front() == '/' || path.find("/../") != path.npos ||
        find_invalid_utf8(name) != name.npos) {
      fail(concat("it has the unsafe name \"", printable(name), "\""));
    }
  }

  // The local header says where the data begin. What it repeats must agree; with bit 3 its sizes
  // are 0 and follow the data instead.
  void read_local_header(ZipEntry& entry, uint64_t directory_begin) const {
    ByteReader reader = at(entry.record);
    want(reader.number<uint32_t>() == kLocalSignature, "a local header is damaged");
    reader.take(2);
    const unsigned flags = reader.number<uint16_t>();
    const auto method = reader.number<uint16_t>();
    reader.take(4);
    const auto crc = reader.number<uint32_t>();
    const auto stored_size = reader.number<uint32_t>();
    const auto size = reader.number<uint32_t>();
    const auto name_bytes = reader.number<uint16_t>();
    const auto extra_bytes = reader.number<uint16_t>();
    const bool deferred = (flags & 8u) != 0;
    const auto agree = [&](uint32_t local, uint64_t ours) {
      return local == ours || local == kFull32 || (deferred && local == 0);
    };
    want(reader.text(name_bytes) == entry.name && (method == 8) == entry.deflated &&
             (flags & kEncryptedFlags) == 0 && agree(crc, entry.crc) &&
             agree(stored_size, entry.stored_size) && agree(size, entry.size),
         "a local header and the directory disagree");
    reader.take(extra_bytes);
    entry.begin = reader.at();
    want(entry.begin <= directory_begin && entry.stored_size <= directory_begin - entry.begin,
         "an entry reaches into the directory");
  }

  void check_overlaps(const std::vector<ZipEntry>& entries) const {
    std::vector<const ZipEntry*> order;
    for (const ZipEntry& entry : entries) order.push_back(&entry);
    std::sort(order.begin(), order.end(),
              [](const ZipEntry* a, const ZipEntry* b) { return a->record < b->record; });
    for (size_t i = 1; i < order.size(); ++i) {
      if (order[i - 1]->begin + order[i - 1]->stored_size > order[i]->record) {
        fail(concat("\"", printable(order[i]->name), "\" overlaps another entry"));
      }
    }
  }

  std::span<const std::byte> bytes_;
  const std::string& path_;
  const ZipLimits& limits_;
};

}  // namespace

std::vector<ZipEntry> read_zip_directory(std::span<const std::byte> bytes, const std::string& path,
                                         const ZipLimits& limits) {
  return DirectoryReader(bytes, path, limits).read();
}

}  // namespace m2
