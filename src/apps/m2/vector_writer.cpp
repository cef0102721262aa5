#include "apps/m2/vector_writer.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <sstream>

#include "checkpoint/npy.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

// The shortest digits that read back as the same float.
void append_number(std::string& out, float value) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  out.append(buffer.data(), result.ptr);
}

void append_row(std::string& out, std::span<const float> values, const char* separator) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += separator;
    append_number(out, values[i]);
  }
}

class JsonlWriter final : public VectorWriter {
 public:
  explicit JsonlWriter(OutputFile& output) : output_(output) {}

  void write(const WrittenText& text) override {
    std::string line = concat("{\"index\":", text.index);
    if (!text.id.empty()) line += ",\"id\":" + text.id;
    if (text.report != nullptr) append_report(line, *text.report);
    line += ",\"embedding\":";
    const size_t width = text.values.size() / text.rows;
    if (text.matrix) line += '[';
    for (size_t row = 0; row < text.rows; ++row) {
      line += row == 0 ? "[" : ",[";
      append_row(line, text.values.subspan(row * width, width), ",");
      line += ']';
    }
    if (text.matrix) line += ']';
    output_.stream() << line << "}\n";
    output_.flush();
  }

 private:
  static void append_report(std::string& line, const TextVectors& report) {
    line += concat(",\"tokens\":", report.tokens,
                   ",\"truncated\":", report.truncated ? "true" : "false");
    if (!report.truncated) return;
    line += concat(",\"total_tokens\":", report.total_tokens, ",\"characters\":", report.characters,
                   ",\"kept_characters\":[", report.kept.begin, ",", report.kept.end, "]");
  }

  OutputFile& output_;
};

class LinesWriter final : public VectorWriter {
 public:
  explicit LinesWriter(OutputFile& output) : output_(output) {}

  void write(const WrittenText& text) override {
    const size_t width = text.values.size() / text.rows;
    std::string lines;
    for (size_t row = 0; row < text.rows; ++row) {
      append_row(lines, text.values.subspan(row * width, width), " ");
      lines += '\n';
    }
    output_.stream() << lines;
    output_.flush();
  }

 private:
  OutputFile& output_;
};

// The header counts the texts, which are known at the end: a pipe gets the whole from memory then.
class NpyVectorWriter final : public VectorWriter {
 public:
  explicit NpyVectorWriter(OutputFile& output) : output_(output) {}

  void write(const WrittenText& text) override {
    std::vector<int64_t> shape = {static_cast<int64_t>(text.values.size() / text.rows)};
    if (text.matrix) shape.insert(shape.begin(), static_cast<int64_t>(text.rows));
    if (!npy_) {
      shape_ = shape;
      checked([&] {
        npy_.emplace(output_.seekable() ? output_.stream() : memory_, DType::kF32, shape);
      });
    }
    if (shape != shape_) {
      throw usage_error(concat("text ", text.index + 1, " has ", text.rows,
                               " tokens and the first ", shape_[0],
                               ", which one .npy cannot hold; write jsonl"));
    }
    checked([&] { npy_->write(std::as_bytes(text.values)); });
  }

  void finish() override {
    if (!npy_) throw usage_error("there is no text to write");
    checked([&] { npy_->finish(); });
    if (!output_.seekable()) output_.stream() << memory_.str();
  }

 private:
  // The writer of arrays knows neither the file's name nor why the stream failed.
  template <class Write>
  void checked(const Write& write) {
    errno = 0;
    try {
      write();
    } catch (const Error&) {
      output_.fail(errno);
    }
  }

  OutputFile& output_;
  std::ostringstream memory_;
  std::vector<int64_t> shape_;
  std::optional<NpyWriter> npy_;
};

}  // namespace

std::optional<VectorFormat> format_of_name(const std::string& path) {
  if (path.ends_with(".jsonl")) return VectorFormat::kJsonl;
  if (path.ends_with(".npy")) return VectorFormat::kNpy;
  if (path.ends_with(".txt")) return VectorFormat::kText;
  return std::nullopt;
}

std::unique_ptr<VectorWriter> make_writer(VectorFormat format, OutputFile& output) {
  switch (format) {
    case VectorFormat::kJsonl:
      return std::make_unique<JsonlWriter>(output);
    case VectorFormat::kNpy:
      return std::make_unique<NpyVectorWriter>(output);
    case VectorFormat::kText:
      return std::make_unique<LinesWriter>(output);
  }
  throw std::logic_error("unreachable");
}

}  // namespace m2
