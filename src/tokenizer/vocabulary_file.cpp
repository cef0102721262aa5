// vocab.txt: one token a line.
#include <algorithm>

#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"
#include "tokenizer/tokenizer_files.h"
#include "tokenizer/unicode.h"

namespace m2 {
namespace {

std::string_view without_trailing_blanks(std::string_view line) {
  while (!line.empty()) {
    size_t at = line.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(line[at]) & 0xC0) == 0x80) --at;
    char32_t last = 0;
    decode_utf8(line.substr(at), last);
    if ((unicode::properties(last) & unicode::kWhitespace) == 0) break;
    line = line.substr(0, at);
  }
  return line;
}

}  // namespace

WordPieceModel read_vocabulary(const std::string& path) {
  const std::string text = read_text_file(path, kMaxTokenizerBytes);
  const size_t bad = find_invalid_utf8(text);
  if (bad != std::string::npos) {
    throw input_error(concat(path, ": is not UTF-8 at byte ", bad));
  }
  WordPieceModel model;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view token =
        without_trailing_blanks(std::string_view(text).substr(begin, end - begin));
    if (token.size() > kMaxTokenBytes) {
      throw input_error(concat(path, ": line ", model.tokens.size() + 1, " is longer than ",
                               kMaxTokenBytes, " bytes"));
    }
    model.tokens.emplace_back(token);
    begin = end + 1;
  }
  if (model.tokens.empty())
    throw input_error(concat(path, ": is empty; a vocabulary has one token a line"));
  return model;
}

}  // namespace m2
