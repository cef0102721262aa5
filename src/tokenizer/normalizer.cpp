#include "tokenizer/normalizer.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"
#include "tokenizer/unicode.h"

namespace m2 {
namespace {

// One piece of text on its way through the rules, in the oracle's order: clean, space out Chinese,
// decompose and reorder, drop marks, lower-case.
class Pass {
 public:
  Pass(const NormalizerOptions& options, NormalizedText& out) : options_(options), out_(out) {}

  void take(char32_t code_point, uint32_t origin) {
    const uint16_t properties = unicode::properties(code_point);
    if (options_.clean_text && (properties & unicode::kRemoved) != 0) return;
    if (options_.clean_text && (properties & unicode::kWhitespace) != 0) {
      decompose(U' ', unicode::properties(U' '), origin);
    } else if (options_.handle_chinese_chars && (properties & unicode::kChinese) != 0) {
      decompose(U' ', unicode::properties(U' '), origin);
      decompose(code_point, properties, origin);
      decompose(U' ', unicode::properties(U' '), origin);
    } else {
      decompose(code_point, properties, origin);
    }
  }

  bool has_marks() const { return !marks_.empty(); }

  // Writes the combining marks that wait for the end of their run, in canonical order. A mark's
  // origin goes by its place in the reordered run, as the oracle has it: the n-th mark that begins
  // a character gets the n-th character's origin, a further mark that of the one before it.
  void flush_marks() {
    const auto by_rank = [](const Mark& a, const Mark& b) { return a.rank < b.rank; };
    if (!std::is_sorted(marks_.begin(), marks_.end(), by_rank)) {
      std::stable_sort(marks_.begin(), marks_.end(), by_rank);
    }
    size_t next = 0;
    for (const Mark& mark : marks_) {
      if (mark.begins_character) last_origin_ = mark_origins_[next++];
      write(mark.code_point, last_origin_);
    }
    marks_.clear();
    mark_origins_.clear();
  }

 private:
  struct Mark {
    char32_t code_point;
    int rank;
    bool begins_character;
  };

  void decompose(char32_t code_point, uint16_t properties, uint32_t origin) {
    if (!options_.strip_accents) return write(code_point, origin);
    if ((properties & unicode::kDecomposes) == 0) {
      return order(code_point, properties, origin, true);
    }
    bool first = true;
    for (const char32_t part : unicode::decomposition(code_point)) {
      order(part, unicode::properties(part), origin, first);
      first = false;
    }
  }

  void order(char32_t code_point, uint16_t properties, uint32_t origin, bool begins_character) {
    if ((properties & unicode::kCombines) != 0) {
      marks_.push_back({code_point, unicode::combining_rank(code_point), begins_character});
      if (begins_character) mark_origins_.push_back(origin);
      return;
    }
    flush_marks();
    if (begins_character) last_origin_ = origin;
    write(code_point, last_origin_);
  }

  void write(char32_t code_point, uint32_t origin) {
    const uint16_t properties = unicode::properties(code_point);
    if (options_.strip_accents && (properties & unicode::kNonspacingMark) != 0) return;
    if (options_.lowercase && (properties & unicode::kHasLowerCase) != 0) {
      for (const char32_t part : unicode::lower_case(code_point)) {
        unicode::append_utf8(part, out_.bytes);
      }
    } else {
      unicode::append_utf8(code_point, out_.bytes);
    }
    out_.origins.resize(out_.bytes.size(), origin);
  }

  const NormalizerOptions& options_;
  NormalizedText& out_;
  std::vector<Mark> marks_;
  std::vector<uint32_t> mark_origins_;
  uint32_t last_origin_ = 0;
};

}  // namespace

Normalizer::Normalizer(const NormalizerOptions& options) : options_(options) {
  for (char32_t c = 0; c < ascii_.size(); ++c) {
    NormalizedText out;
    Pass pass(options_, out);
    pass.take(c, 0);
    pass.flush_marks();
    M2_CHECK(out.bytes.size() <= 1);
    ascii_removed_[c] = out.bytes.empty();
    ascii_[c] = out.bytes.empty() ? '\0' : out.bytes[0];
  }
}

void Normalizer::normalize(std::string_view piece, uint32_t first_character,
                           NormalizedText& out) const {
  out.bytes.clear();
  out.origins.clear();
  out.bytes.reserve(piece.size());
  out.origins.reserve(piece.size());
  Pass pass(options_, out);
  uint32_t character = first_character;
  for (size_t at = 0; at < piece.size(); ++character) {
    const unsigned char byte = static_cast<unsigned char>(piece[at]);
    if (byte < ascii_.size()) {
      ++at;
      if (ascii_removed_[byte]) continue;
      if (pass.has_marks()) pass.flush_marks();
      out.bytes.push_back(ascii_[byte]);
      out.origins.push_back(character);
      continue;
    }
    char32_t code_point = 0;
    at += static_cast<size_t>(decode_utf8(piece.substr(at), code_point));
    pass.take(code_point, character);
  }
  pass.flush_marks();
}

}  // namespace m2
