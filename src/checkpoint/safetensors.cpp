#include "checkpoint/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <set>

#include "checkpoint/checked_size.h"
#include "checkpoint/json.h"
#include "checkpoint/new_file.h"
#include "checkpoint/safetensors_header.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

static_assert(std::endian::native == std::endian::little, "files are read in place");

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kLengthBytes = 8;

[[noreturn]] void fail(const std::string& path, const std::string& problem) {
  throw input_error(concat(path, ": is no sound safetensors file: ", problem));
}

std::string_view header_text(std::span<const std::byte> bytes, const std::string& path) {
  if (bytes.size() < kLengthBytes) {
    fail(path, concat("it is cut short (", bytes.size(), " bytes)"));
  }
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeaderBytes) {
    fail(path, concat("a header of ", length, " bytes, more than the format's 100 MB"));
  }
  if (length > bytes.size() - kLengthBytes) {
    fail(path, concat("a header of ", length, " bytes in a file of ", bytes.size(),
                      "; it may be cut short"));
  }
  return {reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, static_cast<size_t>(length)};
}

void check_entry(const SafetensorsEntry& entry, uint64_t data_bytes, const std::string& path) {
  const auto problem = [&](const auto&... parts) {
    fail(path, concat("tensor \"", printable(entry.name), "\" ", parts...));
  };
  if (entry.begin > entry.end || entry.end > data_bytes) {
    problem("lies at ", entry.begin, " to ", entry.end, ", outside the ", data_bytes,
            " bytes of data; the file may be cut short");
  }
  const auto bytes = checked_tensor_bytes(entry.shape, entry.dtype);
  if (!bytes) problem("has an impossible shape ", shape_text(entry.shape));
  if (*bytes != entry.end - entry.begin) {
    problem("is ", shape_text(entry.shape), " of ", dtype_name(entry.dtype), ", ", *bytes,
            " bytes, but has ", entry.end - entry.begin);
  }
}

// Tensors in the order of their data must meet end to begin and reach the file's end.
void check_cover(const std::vector<SafetensorsEntry>& entries, uint64_t data_bytes,
                 const std::string& path) {
  std::vector<const SafetensorsEntry*> order;
  for (const SafetensorsEntry& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  uint64_t reached = 0;
  for (const SafetensorsEntry* entry : order) {
    if (entry->begin != reached) {
      fail(path, concat("tensor \"", printable(entry->name), "\" begins at ", entry->begin, ", ",
                        entry->begin < reached ? "inside another" : "after a gap"));
    }
    reached = entry->end;
  }
  if (reached != data_bytes) {
    fail(path, concat(data_bytes - reached, " bytes at the end belong to no tensor"));
  }
}

// The header of a file that will hold `tensors` in that order, its length first.
std::string make_header(const std::vector<const NamedTensor*>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  auto header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t at = 0;
  for (const NamedTensor* item : tensors) {
    const uint64_t end = at + item->tensor.bytes();
    header[item->name] = {{"dtype", safetensors_dtype_name(item->tensor.dtype)},
                          {"shape", item->tensor.shape},
                          {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  M2_CHECK(length <= kMaxHeaderBytes);
  std::string out(kLengthBytes, '\0');
  std::memcpy(out.data(), &length, kLengthBytes);
  return out + text;
}

void check_names(std::span<const NamedTensor> tensors) {
  std::set<std::string_view> names;
  for (const NamedTensor& item : tensors) {
    M2_CHECK(names.insert(item.name).second);
    M2_CHECK(item.name != "__metadata__" && find_invalid_utf8(item.name) == std::string::npos);
    M2_CHECK(checked_tensor_bytes(item.tensor.shape, item.tensor.dtype).has_value());
  }
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path)
    : file_(std::make_unique<MappedFile>(path)) {
  parse(file_->bytes(), path);
}

SafetensorsFile::SafetensorsFile(std::span<const std::byte> bytes, const std::string& path) {
  parse(bytes, path);
}

void SafetensorsFile::parse(std::span<const std::byte> bytes, const std::string& path) {
  const std::string_view text = header_text(bytes, path);
  SafetensorsHeader header = parse_safetensors_header(text, path);
  const auto data = bytes.subspan(kLengthBytes + text.size());
  for (const SafetensorsEntry& entry : header.entries) check_entry(entry, data.size(), path);
  check_cover(header.entries, data.size(), path);
  for (SafetensorsEntry& entry : header.entries) {
    const TensorView view{entry.dtype, std::move(entry.shape), data.data() + entry.begin};
    if (!tensors_.emplace(entry.name, view).second) {
      fail(path, concat("tensor \"", printable(entry.name), "\" is there twice"));
    }
    names_.push_back(std::move(entry.name));
  }
  metadata_ = std::move(header.metadata);
}

const TensorView* SafetensorsFile::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  const auto bytes_of = [&](size_t index) {
    const TensorView& tensor = tensors[index].tensor;
    return std::span(static_cast<const std::byte*>(tensor.data), tensor.bytes());
  };
  write_safetensors(path, tensors, bytes_of, metadata);
}

void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const TensorBytes& bytes_of,
                       const std::map<std::string, std::string>& metadata) {
  check_names(tensors);
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& item : tensors) order.push_back(&item);
  std::stable_sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return dtype_size(a->tensor.dtype) > dtype_size(b->tensor.dtype);
  });
  NewFile file(path);
  const std::string header = make_header(order, metadata);
  file.write(std::as_bytes(std::span(header)));
  for (const NamedTensor* item : order) {
    const auto bytes = bytes_of(static_cast<size_t>(item - tensors.data()));
    M2_CHECK(bytes.size() == item->tensor.bytes());
    file.write(bytes);
  }
  file.commit();
}

}  // namespace m2
