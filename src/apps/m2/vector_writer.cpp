#include "apps/m2/vector_writer.h"

#include <cerrno>
#include <sstream>

#include "checkpoint/npy.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

// A line, or the lines, of each text as they come.
class TextWriter final : public VectorWriter {
 public:
  using Render = std::string (*)(const WrittenText&);
  TextWriter(OutputFile& output, Render render) : output_(output), render_(render) {}

  void write(const WrittenText& text) override {
    output_.stream() << render_(text);
    output_.flush();
  }

 private:
  OutputFile& output_;
  Render render_;
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
      return std::make_unique<TextWriter>(output, json_line);
    case VectorFormat::kNpy:
      return std::make_unique<NpyVectorWriter>(output);
    case VectorFormat::kText:
      return std::make_unique<TextWriter>(output, number_lines);
  }
  throw std::logic_error("unreachable");
}

}  // namespace m2
