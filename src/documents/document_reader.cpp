#include "documents/document_reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "checkpoint/json.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 18;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == line.npos;
}

// Lines or the whole of one file.
class FileText {
 public:
  FileText(const InputFile& file, const DocumentLimits& limits)
      : path_(file.path),
        largest_(limits.document_bytes),
        source_(open_bytes(file.path, file.compression, limits.expanded_bytes)),
        buffer_(kBufferBytes) {}

  // The next line without its newline; false behind the last. `number` counts from 1.
  bool next_line(std::string& line, uint64_t& number) {
    line.clear();
    bool found = false;
    while (fill()) {
      found = true;
      const std::string_view rest(buffer_.data() + begin_, end_ - begin_);
      const size_t newline = rest.find('\n');
      line.append(rest.substr(0, newline));
      if (line.size() > largest_) fail_large(concat(path_, ":", lines_ + 1), "line");
      begin_ += newline == rest.npos ? rest.size() : newline + 1;
      if (newline != rest.npos) break;
    }
    if (!found) return false;
    number = ++lines_;
    if (number == 1) drop_byte_order_mark(line);
    return true;
  }

  std::string whole() {
    std::string text;
    while (fill()) {
      text.append(buffer_.data() + begin_, end_ - begin_);
      begin_ = end_;
      if (text.size() > largest_) fail_large(path_, "text");
    }
    drop_byte_order_mark(text);
    return text;
  }

  uint64_t bytes_taken() const { return source_->bytes_taken(); }

 private:
  // Sees to it that the buffer holds something; false at the end.
  bool fill() {
    if (begin_ == end_) {
      begin_ = 0;
      end_ = source_->read(buffer_);
    }
    return begin_ != end_;
  }

  static void drop_byte_order_mark(std::string& text) {
    if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  }

  [[noreturn]] void fail_large(const std::string& where, const char* what) const {
    throw input_error(concat(where, ": the ", what, " is longer than the ", bytes_text(largest_),
                             " that a document may have; raise the limit or cut it"));
  }

  const std::string& path_;
  uint64_t largest_;
  std::unique_ptr<ByteSource> source_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;
  uint64_t lines_ = 0;
};

std::string text_of_line(const std::string& line, const std::string& where) {
  nlohmann::json value = parse_json(line, where);
  const auto text = value.is_object() ? value.find("text") : value.end();
  if (!value.is_object() || text == value.end() || !text->is_string()) {
    throw input_error(where + ": is no JSON object with a string \"text\"");
  }
  return std::move(text->get_ref<std::string&>());
}

void check_utf8(std::string_view text, const std::string& where) {
  const size_t bad = find_invalid_utf8(text);
  if (bad == text.npos) return;
  const auto line =
      1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n');
  throw input_error(concat(where, ":", line, ": is not UTF-8: byte ", bad,
                           " of the file begins no character; convert it (iconv -t UTF-8)"));
}

}  // namespace

struct DocumentReader::State {
  std::vector<InputFile> files;
  DocumentLimits limits;
  DocumentPosition position;
  std::unique_ptr<FileText> open;  // the file at the position, when something was read of it
  uint64_t bytes_before = 0;       // of the files before it
  std::string line;

  const InputFile& file() const { return files[position.file]; }

  FileText& text() {
    if (!open) open = std::make_unique<FileText>(file(), limits);
    return *open;
  }

  void leave_file() {
    open.reset();
    bytes_before += file().bytes;
    position = {position.file + 1, 0};
  }

  // The next line that is not blank; its number, or 0 behind the last.
  uint64_t next_line() {
    uint64_t number = 0;
    while (text().next_line(line, number)) {
      if (is_blank(line)) continue;
      ++position.documents;
      return number;
    }
    return 0;
  }

  std::optional<Document> next_of_file() {
    if (file().format == DocumentFormat::kJsonLines) {
      const uint64_t number = next_line();
      if (number == 0) return std::nullopt;
      std::string where = concat(file().path, ":", number);
      std::string document = text_of_line(line, where);
      return Document{std::move(where), std::move(document)};
    }
    if (position.documents > 0) return std::nullopt;
    std::string document = text().whole();
    if (document.empty()) return std::nullopt;
    check_utf8(document, file().path);
    ++position.documents;
    return Document{file().path, std::move(document)};
  }
};

DocumentReader::DocumentReader(std::vector<InputFile> files, const DocumentLimits& limits)
    : state_(std::make_unique<State>()) {
  state_->files = std::move(files);
  state_->limits = limits;
}

DocumentReader::~DocumentReader() = default;

std::optional<Document> DocumentReader::next() {
  while (state_->position.file < state_->files.size()) {
    if (std::optional<Document> document = state_->next_of_file()) return document;
    state_->leave_file();
  }
  return std::nullopt;
}

DocumentPosition DocumentReader::position() const {
  return state_->position;
}

void DocumentReader::skip_to(const DocumentPosition& position) {
  State& state = *state_;
  M2_CHECK(state.position == DocumentPosition{});
  if (position.file > state.files.size())
    throw input_error("the input has fewer files than before");
  while (state.position.file < position.file) state.leave_file();
  if (position.documents == 0) return;
  if (state.position.file < state.files.size() && state.file().format == DocumentFormat::kText) {
    state.position.documents = position.documents;  // what next() looks at before it reads
    return;
  }
  while (state.position.documents < position.documents) {
    if (state.position.file == state.files.size() || state.next_line() == 0) {
      throw input_error("the input has fewer documents than before");
    }
  }
}

uint64_t DocumentReader::bytes_taken() const {
  return state_->bytes_before + (state_->open ? state_->open->bytes_taken() : 0);
}

uint64_t DocumentReader::total_bytes() const {
  uint64_t total = 0;
  for (const InputFile& file : state_->files) total += file.bytes;
  return total;
}

}  // namespace m2
