// Going on with a run of `m2 embed` that was stopped: what it left of its JSON lines.
#pragma once

#include <compare>
#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "apps/m2/text_source.h"
#include "embedding/embedder.h"

namespace m2 {

// The lines of whole texts at the beginning of PATH.part, or of PATH itself where there is no such
// file: that run had ended. A line without its end, and lines of a text that lacks others, do not
// count.
class EarlierRun {
 public:
  // Takes a text from `source` for each that the file holds. Error(kInput) where the file holds
  // something else than lines of these texts, by index and id, or more texts than there are.
  EarlierRun(const std::string& path, TextSource& source);

  size_t texts() const { return texts_; }
  int64_t input_bytes() const { return input_bytes_; }  // that those texts took
  // Whether that run had ended and its file holds nothing but those lines.
  bool ended() const { return ended_ && whole_; }

  // Computes some of the texts again: the first, the last and the longest. Error(kInput) where the
  // lines differ by a byte: another model, other flags or another instruction set made them.
  void verify(Embedder& embedder, const EmbedOptions& options) const;

  // Bytes of PATH.part that hold those lines, for the run that goes on behind them.
  uint64_t keep();

 private:
  // What tells whether flags had a say in a text's lines: chunks, cut, tokens.
  struct Weight {
    int64_t chunks = 0;
    bool truncated = false;
    int64_t tokens = 0;
    auto operator<=>(const Weight&) const = default;
  };
  // A text and where its lines are.
  struct Text {
    size_t index = 0;
    SourceText source;
    Weight weight;
    uint64_t begin = 0, end = 0;
  };
  struct Line;

  void read(TextSource& source);
  // Nothing where the lines of the next text are not all there.
  std::optional<Text> next_text(std::istream& file) const;
  Line parse(const std::string& line) const;
  [[noreturn]] void refuse(size_t text, const std::string& why) const;

  std::string path_, read_path_;
  bool ended_ = false, whole_ = false;
  size_t texts_ = 0;
  int64_t input_bytes_ = 0;
  uint64_t bytes_ = 0;
  std::vector<Text> probes_;  // to be computed again
};

}  // namespace m2
