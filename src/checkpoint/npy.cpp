#include "checkpoint/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "checkpoint/byte_reader.h"
#include "checkpoint/checked_size.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

static_assert(std::endian::native == std::endian::little, "files are read in place");

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kMaxHeaderBytes = 65536;
constexpr size_t kAlignment = 64;

// NumPy's spelling: "|" where the order of bytes means nothing.
constexpr std::array<std::pair<std::string_view, DType>, 9> kDTypes = {{
    {"<f8", DType::kF64},
    {"<f4", DType::kF32},
    {"<f2", DType::kF16},
    {"<i8", DType::kI64},
    {"<i4", DType::kI32},
    {"<i2", DType::kI16},
    {"|i1", DType::kI8},
    {"|u1", DType::kU8},
    {"|b1", DType::kBool},
}};

struct Header {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
};

// The header is a Python dictionary with three keys, in any order:
// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  Header parse() {
    expect('{');
    while (!accept('}')) {
      parse_field();
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (at_ != text_.size()) fail("has something behind the dictionary in its header");
    if (!has_dtype_ || !has_order_ || !has_shape_) fail("has a header that lacks a key");
    return std::move(header_);
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw input_error(concat(path_, ": ", problem));
  }

  [[noreturn]] void fail_syntax() const {
    fail(concat("has a damaged .npy header (at character ", at_, ")"));
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }

  bool accept(char wanted) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  void expect(char wanted) {
    if (!accept(wanted)) fail_syntax();
  }

  bool accept_word(std::string_view word) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  std::string_view parse_string() {
    const char quote = accept('"') ? '"' : '\'';
    if (quote == '\'') expect('\'');
    const size_t end = text_.find(quote, at_);
    if (end == text_.npos) fail_syntax();
    const std::string_view found = text_.substr(at_, end - at_);
    at_ = end + 1;
    return found;
  }

  void parse_field() {
    const std::string_view key = parse_string();
    expect(':');
    if (key == "descr" && !std::exchange(has_dtype_, true)) {
      parse_dtype();
    } else if (key == "fortran_order" && !std::exchange(has_order_, true)) {
      if (accept_word("True")) {
        fail("is in Fortran order; save it with numpy.ascontiguousarray");
      }
      if (!accept_word("False")) fail_syntax();
    } else if (key == "shape" && !std::exchange(has_shape_, true)) {
      parse_shape();
    } else {
      fail(concat("has an unknown or repeated key \"", printable(key), "\" in its header"));
    }
  }

  void parse_dtype() {
    if (accept('[')) fail("holds structures; save plain numbers");
    const std::string_view name = parse_string();
    for (const auto& [known, dtype] : kDTypes) {
      if (known == name) {
        header_.dtype = dtype;
        return;
      }
    }
    if (name.starts_with('>')) fail("is big-endian; save it with astype('<f4') or the like");
    fail(
        concat("has the dtype ", printable(name),
               ", which is not read; save it as bool, int8 to int64, uint8 or float16 to float64"));
  }

  void parse_shape() {
    expect('(');
    while (!accept(')')) {
      if (header_.shape.size() == kMaxRank) fail("has too many dimensions");
      header_.shape.push_back(parse_extent());
      if (!accept(',')) {
        // (3) is a number in Python, not a tuple.
        if (header_.shape.size() == 1) fail_syntax();
        expect(')');
        break;
      }
    }
  }

  int64_t parse_extent() {
    skip_blanks();
    const size_t first = at_;
    int64_t value = 0;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      if (__builtin_mul_overflow(value, int64_t{10}, &value) ||
          __builtin_add_overflow(value, int64_t{text_[at_] - '0'}, &value)) {
        fail("has an impossible shape");
      }
      ++at_;
    }
    if (at_ == first) fail_syntax();
    return value;
  }

  std::string_view text_;
  const std::string& path_;
  size_t at_ = 0;
  Header header_;
  bool has_dtype_ = false, has_order_ = false, has_shape_ = false;
};

TensorView parse_npy(std::span<const std::byte> bytes, const std::string& path) {
  ByteReader reader(bytes, path);
  if (bytes.size() < kMagic.size() || reader.text(kMagic.size()) != kMagic) {
    throw input_error(concat(path, ": is no .npy file"));
  }
  const auto version = reader.number<uint8_t>();
  reader.number<uint8_t>();
  if (version < 1 || version > 3) {
    throw input_error(concat(path, ": is of .npy version ", static_cast<int>(version),
                             "; versions 1 to 3 are read"));
  }
  const uint64_t length = version == 1 ? reader.number<uint16_t>() : reader.number<uint32_t>();
  if (length > kMaxHeaderBytes) throw input_error(concat(path, ": has an oversized .npy header"));
  Header header = HeaderParser(reader.text(length), path).parse();
  const auto size = checked_tensor_bytes(header.shape, header.dtype);
  if (!size || *size != reader.left()) {
    throw input_error(concat(path, ": is ", shape_text(header.shape), " of ",
                             dtype_name(header.dtype), " but holds ", reader.left(),
                             " bytes of data; it is damaged or cut short"));
  }
  return {header.dtype, std::move(header.shape), reader.take(*size).data()};
}

std::string_view npy_dtype_name(DType dtype) {
  const auto found = std::find_if(kDTypes.begin(), kDTypes.end(),
                                  [dtype](const auto& known) { return known.second == dtype; });
  M2_CHECK(found != kDTypes.end());
  return found->first;
}

std::string header_dictionary(DType dtype, int64_t rows, const std::vector<int64_t>& row_shape) {
  std::string shape = concat("(", rows, ",");
  for (size_t i = 0; i < row_shape.size(); ++i) shape += concat(i == 0 ? " " : ", ", row_shape[i]);
  return concat("{'descr': '", npy_dtype_name(dtype), "', 'fortran_order': False, 'shape': ", shape,
                "), }");
}

}  // namespace

NpyFile::NpyFile(const std::string& path)
    : file_(std::make_unique<MappedFile>(path)), tensor_(parse_npy(file_->bytes(), path)) {}

NpyFile::NpyFile(std::span<const std::byte> bytes, const std::string& path)
    : tensor_(parse_npy(bytes, path)) {}

NpyWriter::NpyWriter(std::ostream& out, DType dtype, std::vector<int64_t> row_shape,
                     std::optional<int64_t> rows)
    : out_(out), dtype_(dtype), row_shape_(std::move(row_shape)), rows_(rows) {
  const auto bytes = checked_tensor_bytes(row_shape_, dtype_);
  M2_CHECK(bytes.has_value() && *bytes > 0);
  row_bytes_ = static_cast<size_t>(*bytes);
  if (!rows_) start_ = out_.tellp();
  write_header(rows_.value_or(0));
}

void NpyWriter::write_header(int64_t rows) {
  constexpr int64_t kMostRows = std::numeric_limits<int64_t>::max();
  // As long as for any number of rows, so that it can be written again in place.
  const size_t longest = header_dictionary(dtype_, kMostRows, row_shape_).size();
  constexpr size_t kFixedBytes = kMagic.size() + 4;
  const size_t total = (kFixedBytes + longest + 1 + kAlignment - 1) / kAlignment * kAlignment;
  const auto length = static_cast<uint16_t>(total - kFixedBytes);
  std::string header(kMagic);
  header += {1, 0, static_cast<char>(length & 0xFF), static_cast<char>(length >> 8)};
  header += header_dictionary(dtype_, rows, row_shape_);
  header.resize(total - 1, ' ');
  header += '\n';
  out_.write(header.data(), static_cast<std::streamsize>(header.size()));
  if (!out_) throw failed_error("the .npy output cannot be written");
}

void NpyWriter::write(std::span<const std::byte> data) {
  M2_CHECK(data.size() % row_bytes_ == 0);
  written_ += static_cast<int64_t>(data.size() / row_bytes_);
  out_.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
  if (!out_) throw failed_error("the .npy output cannot be written; is the disk full?");
}

void NpyWriter::finish() {
  if (rows_) {
    M2_CHECK(written_ == *rows_);
  } else {
    const auto end = out_.tellp();
    out_.seekp(start_);
    write_header(written_);
    out_.seekp(end);
  }
  out_.flush();
  if (!out_) throw failed_error("the .npy output cannot be finished; is the disk full?");
}

}  // namespace m2
