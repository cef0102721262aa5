#include "apps/m2/text_source.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/interrupt.h"
#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr size_t kLargestFile = size_t{1} << 30;

class ArgumentSource final : public TextSource {
 public:
  explicit ArgumentSource(std::vector<std::string> texts) : texts_(std::move(texts)) {
    for (const std::string& text : texts_) total_ += static_cast<int64_t>(text.size());
  }

  std::optional<SourceText> next() override {
    if (next_ == texts_.size()) return std::nullopt;
    const std::string& text = texts_[next_++];
    return SourceText{{text, concat("text ", next_)}, "", static_cast<int64_t>(text.size())};
  }

  int64_t total_bytes() const override { return total_; }

 private:
  std::vector<std::string> texts_;
  size_t next_ = 0;
  int64_t total_ = 0;
};

class FileSource final : public TextSource {
 public:
  explicit FileSource(std::vector<std::string> paths) : paths_(std::move(paths)) {
    for (const std::string& path : paths_) {
      // Found missing before the first text is computed, not after hours.
      total_ += static_cast<int64_t>(MappedFile(path).bytes().size());
    }
  }

  std::optional<SourceText> next() override {
    if (next_ == paths_.size()) return std::nullopt;
    const std::string& path = paths_[next_++];
    std::string text = read_text_file(path, kLargestFile);
    const int64_t bytes = static_cast<int64_t>(text.size());
    return SourceText{{std::move(text), path}, "", bytes};
  }

  int64_t total_bytes() const override { return total_; }

 private:
  std::vector<std::string> paths_;
  size_t next_ = 0;
  int64_t total_ = 0;
};

// The object of a JSON line, or a discarded value when it is none. Nesting is bounded, so that a
// hostile line cannot exhaust the stack.
nlohmann::json parse_line(const std::string& line, const std::string& name) {
  constexpr int kDeepest = 64;
  const auto keep = [&name](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > kDeepest) throw input_error(name + ": is nested too deeply");
    return true;
  };
  return nlohmann::json::parse(line, keep, false);
}

bool is_text_object(const nlohmann::json& value) {
  return value.is_object() && value.contains("text") && value["text"].is_string();
}

class StreamSource final : public TextSource {
 public:
  StreamSource(std::istream& stream, InputFormat format, int64_t total)
      : stream_(stream), format_(format), total_(total) {}

  std::optional<SourceText> next() override {
    std::string line;
    const bool found = static_cast<bool>(std::getline(stream_, line));
    stop_if_interrupted();  // the line may be half a line then
    if (!found) return std::nullopt;
    const int64_t bytes = static_cast<int64_t>(line.size()) + 1;
    const std::string name = concat("line ", ++line_);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (format_ == InputFormat::kAuto) format_ = detect(line, name);
    if (format_ == InputFormat::kLines) return SourceText{{std::move(line), name}, "", bytes};
    SourceText text = from_json(line, name);
    text.bytes = bytes;
    return text;
  }

  int64_t total_bytes() const override { return total_; }

 private:
  static InputFormat detect(const std::string& line, const std::string& name) {
    if (line.empty() || line[0] != '{') return InputFormat::kLines;
    return is_text_object(parse_line(line, name)) ? InputFormat::kJsonl : InputFormat::kLines;
  }

  static SourceText from_json(const std::string& line, const std::string& name) {
    const nlohmann::json value = parse_line(line, name);
    if (value.is_discarded()) throw input_error(name + ": is no JSON");
    if (!is_text_object(value)) {
      throw input_error(name + ": is no object with a string \"text\"");
    }
    SourceText text = {{value["text"].get<std::string>(), name}, "", 0};
    if (value.contains("id")) {
      if (!value["id"].is_string() && !value["id"].is_number()) {
        throw input_error(name + ": \"id\" is neither a string nor a number");
      }
      text.id = value["id"].dump();
    }
    return text;
  }

  std::istream& stream_;
  InputFormat format_;
  int64_t total_;
  size_t line_ = 0;
};

}  // namespace

std::unique_ptr<TextSource> texts_of_arguments(std::vector<std::string> texts) {
  return std::make_unique<ArgumentSource>(std::move(texts));
}

std::unique_ptr<TextSource> texts_of_files(std::vector<std::string> paths) {
  return std::make_unique<FileSource>(std::move(paths));
}

std::unique_ptr<TextSource> texts_of_stream(std::istream& stream, InputFormat format,
                                            int64_t total_bytes) {
  return std::make_unique<StreamSource>(stream, format, total_bytes);
}

}  // namespace m2
