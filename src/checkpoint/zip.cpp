#include "checkpoint/zip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "checkpoint/zip_directory.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr uint64_t kFreeExpansion = uint64_t{1} << 20;

// zlib counts input and output in 32 bits: hand it pieces.
uInt piece(uint64_t left) {
  return static_cast<uInt>(std::min<uint64_t>(left, std::numeric_limits<uInt>::max()));
}

// Inflates a raw deflate stream that must end with its input and fill `out`.
bool inflate_whole(std::span<const std::byte> in, std::span<std::byte> out) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, inflateEnd);
  // zlib never writes to its input; its field lacks the const.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  // One byte too many tells a stream that is longer than it claims.
  Bytef surplus = 0;
  uint64_t in_left = in.size(), out_left = out.size();
  int status = Z_OK;
  while (status == Z_OK) {
    stream.avail_in = piece(in_left);
    const bool full = out_left == 0;
    if (full) stream.next_out = &surplus;
    stream.avail_out = full ? 1 : piece(out_left);
    const uInt in_before = stream.avail_in, out_before = stream.avail_out;
    status = inflate(&stream, Z_NO_FLUSH);
    if (full && stream.avail_out == 0) return false;
    in_left -= in_before - stream.avail_in;
    if (!full) out_left -= out_before - stream.avail_out;
  }
  return status == Z_STREAM_END && in_left == 0 && out_left == 0;
}

}  // namespace

ZipFile::ZipFile(std::span<const std::byte> bytes, const std::string& path, const ZipLimits& limits)
    : bytes_(bytes), path_(path), limits_(limits) {
  entries_ = read_zip_directory(bytes, path, limits);
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!by_name_.emplace(entries_[i].name, i).second) {
      throw input_error(concat(path_, ": is no sound zip archive: the name \"",
                               printable(entries_[i].name), "\" is there twice"));
    }
  }
}

const ZipEntry* ZipFile::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &entries_[found->second];
}

std::span<const std::byte> ZipFile::read(const ZipEntry& entry) {
  if (const auto found = read_.find(entry.name); found != read_.end()) return found->second;
  const auto data = entry.deflated ? inflate(entry) : bytes_.subspan(entry.begin, entry.size);
  if (limits_.check_crc) {
    const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size());
    if (crc != entry.crc) {
      throw input_error(concat(path_, ": \"", printable(entry.name),
                               "\" is damaged (its checksum differs); download the file again"));
    }
  }
  read_.emplace(entry.name, data);
  return data;
}

std::span<const std::byte> ZipFile::inflate(const ZipEntry& entry) {
  const auto refuse = [&](const std::string& problem) {
    throw input_error(concat(path_, ": \"", printable(entry.name), "\" ", problem));
  };
  if (entry.size > kFreeExpansion && entry.size / limits_.ratio > entry.stored_size) {
    refuse(concat("would expand more than ", limits_.ratio, " times; refused"));
  }
  if (entry.size > limits_.inflated_bytes - inflated_bytes_) {
    refuse(concat("would expand the file beyond ", bytes_text(limits_.inflated_bytes),
                  "; save it without compression"));
  }
  inflated_bytes_ += entry.size;
  AlignedBuffer<std::byte>& buffer = inflated_.emplace_back(static_cast<size_t>(entry.size));
  const std::span<std::byte> out(buffer.data(), buffer.size());
  if (!inflate_whole(bytes_.subspan(entry.begin, entry.stored_size), out)) {
    refuse("is damaged (it does not inflate to its size); download the file again");
  }
  return out;
}

}  // namespace m2
