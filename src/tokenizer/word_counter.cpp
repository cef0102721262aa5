#include "tokenizer/word_counter.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr size_t kPieceBytes = size_t{64} << 10;        // one thread's share of a batch
constexpr size_t kLongestPieceBytes = size_t{1} << 20;  // where no blank ends a piece earlier
constexpr size_t kBatchBytes = size_t{8} << 20;

// How much of `text` to count in one go: up to a blank, so that no word is cut. Only a word that is
// far above any limit may be.
size_t piece_length(std::string_view text) {
  if (text.size() <= kPieceBytes) return text.size();
  const std::string_view window = text.substr(0, kLongestPieceBytes);
  const size_t blank = window.find_first_of(" \t\n\r", kPieceBytes);
  if (blank != std::string_view::npos) return blank + 1;
  size_t end = window.size();
  if (end == text.size()) return end;
  while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return end;
}

}  // namespace

uint64_t WordCounts::total() const {
  uint64_t sum = overlong;
  for (const CountedWord& counted : words) sum += counted.count;
  return sum;
}

WordCounter::WordCounter(const NormalizerOptions& normalizer, int64_t max_characters,
                         Executor& executor, Report report)
    : normalizer_(normalizer),
      max_characters_(max_characters),
      executor_(executor),
      report_(std::move(report)),
      workers_(static_cast<size_t>(executor.workers())) {}

void WordCounter::add(std::string_view text) {
  const size_t bad = find_invalid_utf8(text);
  if (bad != std::string_view::npos) {
    throw input_error(concat("the text is not UTF-8: byte ", bad, " begins no character"));
  }
  while (!text.empty()) {
    const size_t length = piece_length(text);
    append(text.substr(0, length));
    text.remove_prefix(length);
    if (waiting_ >= kBatchBytes) count_pieces();
  }
}

// Short texts share a piece, a line each: words end at line ends.
void WordCounter::append(std::string_view piece) {
  if (pieces_.empty() || pieces_.back().size() + piece.size() > kPieceBytes) {
    pieces_.emplace_back(piece);
  } else {
    pieces_.back() += '\n';
    pieces_.back() += piece;
  }
  waiting_ += piece.size();
}

void WordCounter::count_pieces() {
  executor_.parallel_for(pieces_.size(), [&](size_t index, int worker) {
    count(pieces_[index], workers_[static_cast<size_t>(worker)]);
  });
  counted_ += waiting_;
  waiting_ = 0;
  pieces_.clear();
  if (report_) report_(counted_);
}

void WordCounter::count(std::string_view piece, Worker& worker) const {
  normalizer_.normalize(piece, 0, worker.text);
  const std::string_view text = worker.text.bytes;
  splitter_.split(text, 0, text.size(), [&](size_t begin, size_t end, int64_t characters) {
    if (characters > max_characters_) {
      ++worker.overlong;
      return;
    }
    const std::string_view word = text.substr(begin, end - begin);
    const auto known = worker.counts.find(word);
    if (known != worker.counts.end()) {
      ++known->second;
    } else {
      worker.counts.emplace(word, 1);
    }
  });
}

WordCounts WordCounter::take() {
  count_pieces();
  Counts sums;
  WordCounts out;
  for (Worker& worker : workers_) {
    out.overlong += std::exchange(worker.overlong, 0);
    Counts counts = std::exchange(worker.counts, {});
    if (sums.empty()) {
      sums = std::move(counts);
    } else {
      for (const auto& [word, count] : counts) sums[word] += count;
    }
  }
  out.words.reserve(sums.size());
  while (!sums.empty()) {
    auto node = sums.extract(sums.begin());
    out.words.push_back({std::move(node.key()), node.mapped()});
  }
  std::sort(out.words.begin(), out.words.end(),
            [](const CountedWord& a, const CountedWord& b) { return a.word < b.word; });
  return out;
}

}  // namespace m2
