#include "tokenizer/unicode.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <vector>

namespace m2::unicode {
namespace {

struct Range {
  char32_t first;
  char32_t last;
  uint16_t value;
};
struct Mapping {
  char32_t from;
  uint16_t begin;  // in the table of targets
  uint16_t count;
};

#include "tokenizer/unicode_tables.inc"

constexpr char32_t kCodePoints = 0x110000;
constexpr size_t kPageSize = 256;
constexpr char32_t kHangulBase = 0xAC00;
constexpr char32_t kHangulCount = 11172;

// The ranges spread out, for lookup in two steps. Equal pages are shared.
class PropertyPages {
 public:
  PropertyPages() : index_(kCodePoints / kPageSize) {
    std::vector<uint16_t> flat(kCodePoints);
    for (const Range& range : kPropertyRanges) add(flat, range.first, range.last, range.value);
    for (const Range& range : kCombiningRanks) add(flat, range.first, range.last, kCombines);
    for (const Mapping& mapping : kDecompositionMappings) flat[mapping.from] |= kDecomposes;
    for (const Mapping& mapping : kLowerCaseMappings) flat[mapping.from] |= kHasLowerCase;
    add(flat, kHangulBase, kHangulBase + kHangulCount - 1, kDecomposes);
    for (size_t page = 0; page < index_.size(); ++page) store(page, &flat[page * kPageSize]);
  }

  uint16_t operator[](char32_t code_point) const {
    return pages_[index_[code_point / kPageSize] * kPageSize + code_point % kPageSize];
  }

 private:
  static void add(std::vector<uint16_t>& flat, char32_t first, char32_t last, uint16_t bits) {
    for (char32_t c = first; c <= last; ++c) flat[c] = static_cast<uint16_t>(flat[c] | bits);
  }

  // Long blocks are alike, so comparing with the page before finds nearly all there is to share.
  void store(size_t page, const uint16_t* values) {
    const bool same = !pages_.empty() && std::equal(values, values + kPageSize,
                                                    pages_.end() - std::ptrdiff_t{kPageSize});
    if (!same) pages_.insert(pages_.end(), values, values + kPageSize);
    index_[page] = static_cast<uint16_t>(pages_.size() / kPageSize - 1);
  }

  std::vector<uint16_t> index_;
  std::vector<uint16_t> pages_;
};

const PropertyPages& property_pages() {
  static const PropertyPages pages;
  return pages;
}

CodePoints map_through(std::span<const Mapping> mappings, const char32_t* targets,
                       char32_t code_point) {
  const auto row = std::lower_bound(
      mappings.begin(), mappings.end(), code_point,
      [](const Mapping& mapping, char32_t wanted) { return mapping.from < wanted; });
  CodePoints out;
  if (row == mappings.end() || row->from != code_point) {
    out.values[0] = code_point;
    out.count = 1;
    return out;
  }
  out.count = row->count;
  std::copy_n(targets + row->begin, row->count, out.values.begin());
  return out;
}

// The standard's formula for syllables: 19 leading, 21 vowel, 27 optional trailing jamo.
CodePoints decompose_hangul(char32_t index) {
  CodePoints out;
  out.values = {0x1100 + index / 588, 0x1161 + index % 588 / 28, 0x11A7 + index % 28};
  out.count = index % 28 == 0 ? 2 : 3;
  return out;
}

}  // namespace

uint16_t properties(char32_t code_point) {
  return property_pages()[code_point];
}

int combining_rank(char32_t code_point) {
  const auto row =
      std::upper_bound(std::begin(kCombiningRanks), std::end(kCombiningRanks), code_point,
                       [](char32_t wanted, const Range& range) { return wanted < range.first; });
  if (row == std::begin(kCombiningRanks) || std::prev(row)->last < code_point) return 0;
  return std::prev(row)->value;
}

CodePoints decomposition(char32_t code_point) {
  const char32_t index = code_point - kHangulBase;  // wraps below the base, far above the count
  if (index < kHangulCount) return decompose_hangul(index);
  return map_through(kDecompositionMappings, kDecompositionTargets, code_point);
}

CodePoints lower_case(char32_t code_point) {
  return map_through(kLowerCaseMappings, kLowerCaseTargets, code_point);
}

void append_utf8(char32_t code_point, std::string& out) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) return put(code_point);
  if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
  } else {
    if (code_point < 0x10000) {
      put(0xE0 | code_point >> 12);
    } else {
      put(0xF0 | code_point >> 18);
      put(0x80 | (code_point >> 12 & 0x3F));
    }
    put(0x80 | (code_point >> 6 & 0x3F));
  }
  put(0x80 | (code_point & 0x3F));
}

}  // namespace m2::unicode
