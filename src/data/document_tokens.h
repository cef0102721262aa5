// Documents as ids, tokenised by many threads while the next are read.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/threads.h"
#include "data/text_tokens.h"
#include "documents/document_reader.h"

namespace m2 {

struct TokenizedDocument {
  DocumentPosition position;  // of the reader before it
  uint64_t hash = 0;          // of its text; equal texts have equal ones
  std::vector<int32_t> ids;   // without special tokens; the first ones where not all are wanted
};

uint64_t hash_of_text(std::string_view text);

// The documents of a reader, in its order, some at a time. Memory is a few times kBatchBytes and
// the largest document.
class DocumentTokens {
 public:
  static constexpr size_t kBatchBytes = size_t{4} << 20;  // of text, read before they are given

  // Of each document the first `most_ids` ids, or all. The references outlive this.
  DocumentTokens(DocumentReader& reader, const Tokenizer& tokenizer, Executor& executor,
                 std::optional<size_t> most_ids = {});
  // Replaces `documents` by the next; none are left when it is empty. Errors are the reader's, and
  // the tokenizer's with the document's name.
  void next(std::vector<TokenizedDocument>& documents);

 private:
  struct ReadDocument {
    Document document;
    DocumentPosition position;
  };

  void read_ahead();
  std::vector<std::string_view> parts_of(std::string_view text) const;
  std::vector<int32_t> ids_of(std::string_view part) const;

  DocumentReader& reader_;
  TextTokens tokens_;
  Executor& executor_;
  std::optional<size_t> most_ids_;
  bool started_ = false;
  std::vector<ReadDocument> ahead_;
};

}  // namespace m2
