#include "checkpoint/safetensors_header.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "checkpoint/checked_size.h"
#include "checkpoint/json.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::pair<const char*, DType>, 10> kDTypes = {{
    {"F64", DType::kF64},
    {"F32", DType::kF32},
    {"F16", DType::kF16},
    {"BF16", DType::kBF16},
    {"I64", DType::kI64},
    {"I32", DType::kI32},
    {"I16", DType::kI16},
    {"I8", DType::kI8},
    {"U8", DType::kU8},
    {"BOOL", DType::kBool},
}};

constexpr const char* kMetadata = "__metadata__";

// The parser's events straight into entries: nothing is built of what does not belong there, so
// neither depth nor junk costs memory.
class HeaderEvents final : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderEvents(const std::string& path) : path_(path) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool start_object(size_t) override {
    if (place_ == Place::kStart) {
      place_ = Place::kTop;
    } else if (place_ == Place::kTop) {
      place_ = key_ == kMetadata ? Place::kInMetadata : Place::kInEntry;
      seen_.fill(false);
    } else {
      refuse("an object");
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::kInEntry) {
      for (size_t i = 0; i < kFields.size(); ++i) {
        if (!seen_[i]) fail(concat(entry_text(), " has no \"", kFields[i], "\""));
      }
    }
    place_ = place_ == Place::kTop ? Place::kStart : Place::kTop;
    return true;
  }

  bool key(std::string& text) override {
    if (place_ == Place::kTop) {
      key_ = text;
      if (key_ != kMetadata) header_.entries.push_back({.name = text, .shape = {}});
      if (key_ == kMetadata && std::exchange(has_metadata_, true)) fail("two \"__metadata__\"");
    } else if (place_ == Place::kInMetadata) {
      metadata_key_ = text;
    } else {
      enter_field(text);
    }
    return true;
  }

  bool string(std::string& text) override {
    if (place_ == Place::kInMetadata) {
      if (!header_.metadata.emplace(metadata_key_, text).second) {
        fail(concat("the metadata key \"", printable(metadata_key_), "\" is there twice"));
      }
    } else if (place_ == Place::kInEntry && field_ == kDTypeField) {
      set_dtype(text);
    } else {
      refuse("a string");
    }
    return true;
  }

  bool start_array(size_t) override {
    if (place_ != Place::kInEntry || field_ == kDTypeField) refuse("an array");
    place_ = field_ == kShapeField ? Place::kInShape : Place::kInOffsets;
    offsets_ = 0;
    return true;
  }

  bool end_array() override {
    if (place_ == Place::kInOffsets && offsets_ != 2) fail(concat(entry_text(), kBadOffsets));
    place_ = Place::kInEntry;
    return true;
  }

  bool number_unsigned(uint64_t value) override {
    if (place_ == Place::kInShape) {
      std::vector<int64_t>& shape = header_.entries.back().shape;
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) ||
          shape.size() == kMaxRank) {
        fail(concat(entry_text(), " has an impossible shape"));
      }
      shape.push_back(static_cast<int64_t>(value));
    } else if (place_ == Place::kInOffsets) {
      if (offsets_ == 2) fail(concat(entry_text(), kBadOffsets));
      SafetensorsEntry& entry = header_.entries.back();
      (offsets_++ == 0 ? entry.begin : entry.end) = value;
    } else {
      refuse("a number");
    }
    return true;
  }

  bool number_integer(int64_t) override { return refuse("a negative number"); }
  bool number_float(double, const std::string&) override { return refuse("a fraction"); }
  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("a boolean"); }
  bool binary(Json::binary_t&) override { return refuse("bytes"); }

  bool parse_error(size_t, const std::string&, const Json::exception& error) override {
    fail(concat("the header is no valid JSON: ", json_problem(error)));
  }

 private:
  enum class Place { kStart, kTop, kInMetadata, kInEntry, kInShape, kInOffsets };
  static constexpr size_t kDTypeField = 0, kShapeField = 1;
  static constexpr std::array<const char*, 3> kFields = {"dtype", "shape", "data_offsets"};
  static constexpr const char* kBadOffsets = ": \"data_offsets\" must be two numbers";

  [[noreturn]] void fail(const std::string& problem) const {
    throw input_error(concat(path_, ": is no sound safetensors file: ", problem));
  }

  bool refuse(const char* what) const {
    fail(concat(what, " in the header where the format has none",
                key_.empty() ? "" : concat(", at \"", printable(key_), "\"")));
  }

  std::string entry_text() const { return concat("tensor \"", printable(key_), "\""); }

  void enter_field(const std::string& text) {
    const auto found = std::find(kFields.begin(), kFields.end(), text);
    if (found == kFields.end()) {
      fail(concat(entry_text(), " has an unknown field \"", printable(text), "\""));
    }
    field_ = static_cast<size_t>(found - kFields.begin());
    if (std::exchange(seen_[field_], true)) {
      fail(concat(entry_text(), " has \"", text, "\" twice"));
    }
  }

  void set_dtype(const std::string& text) {
    for (const auto& [name, dtype] : kDTypes) {
      if (text == name) {
        header_.entries.back().dtype = dtype;
        return;
      }
    }
    throw input_error(concat(path_, ": ", entry_text(), " has the dtype ", printable(text),
                             ", which is not supported; convert it to F32, F16 or BF16"));
  }

  const std::string& path_;
  SafetensorsHeader header_;
  Place place_ = Place::kStart;
  std::string key_, metadata_key_;
  bool has_metadata_ = false;
  std::array<bool, 3> seen_{};
  size_t field_ = 0;
  size_t offsets_ = 0;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view text, const std::string& path) {
  // The parser would skip a byte order mark and take a zero byte for the end.
  if (!text.starts_with('{') || text.find('\0') != text.npos) {
    throw input_error(concat(path, ": is no sound safetensors file: the header is no JSON object"));
  }
  HeaderEvents events(path);
  Json::sax_parse(text, &events);
  return events.take();
}

const char* safetensors_dtype_name(DType dtype) {
  for (const auto& [name, known] : kDTypes) {
    if (known == dtype) return name;
  }
  M2_CHECK(false);
  return "";
}

}  // namespace m2
