#include "data/document_tokens.h"

#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "core/text.h"
#include "data/counter_random.h"

namespace m2 {
namespace {

// Of one document a thread takes so much at a time.
constexpr size_t kPartBytes = size_t{1} << 17;

struct Part {
  size_t document = 0;
  std::string_view text;
  std::vector<int32_t> ids;
};

}  // namespace

uint64_t hash_of_text(std::string_view text) {
  return mix_bits(fnv1a(text));  // whose upper bits need the last step
}

DocumentTokens::DocumentTokens(DocumentReader& reader, const Tokenizer& tokenizer,
                               Executor& executor, std::optional<size_t> most_ids)
    : reader_(reader), tokens_(tokenizer), executor_(executor), most_ids_(most_ids) {}

void DocumentTokens::read_ahead() {
  ahead_.clear();
  for (size_t bytes = 0; bytes < kBatchBytes;) {
    const DocumentPosition position = reader_.position();
    std::optional<Document> document = reader_.next();
    if (!document) return;
    bytes += document->text.size();
    ahead_.push_back({std::move(*document), position});
  }
}

std::vector<std::string_view> DocumentTokens::parts_of(std::string_view text) const {
  // A beginning is found by one thread.
  return most_ids_ ? std::vector{text} : tokens_.parts(text, kPartBytes);
}

std::vector<int32_t> DocumentTokens::ids_of(std::string_view part) const {
  return most_ids_ ? tokens_.first_ids(part, *most_ids_) : tokens_.ids(part);
}

void DocumentTokens::next(std::vector<TokenizedDocument>& documents) {
  if (!std::exchange(started_, true)) read_ahead();
  const std::vector<ReadDocument> batch = std::exchange(ahead_, {});
  documents.assign(batch.size(), {});
  if (batch.empty()) return;
  std::vector<Part> parts;
  for (size_t i = 0; i < batch.size(); ++i) {
    documents[i].position = batch[i].position;
    for (const std::string_view text : parts_of(batch[i].document.text)) {
      parts.push_back({i, text, {}});
    }
  }
  // Index 0 reads on, the next ones hash, the others tokenise.
  const size_t hashes = 1, first_part = hashes + batch.size();
  executor_.parallel_for(first_part + parts.size(), [&](size_t index, int) {
    if (index == 0) return read_ahead();
    if (index < first_part) {
      documents[index - hashes].hash = hash_of_text(batch[index - hashes].document.text);
      return;
    }
    Part& part = parts[index - first_part];
    try {
      part.ids = ids_of(part.text);
    } catch (const Error& error) {
      throw Error(error.kind(), concat(batch[part.document].document.name, ": ", error.what()));
    }
  });
  for (const Part& part : parts) {
    std::vector<int32_t>& ids = documents[part.document].ids;
    ids.insert(ids.end(), part.ids.begin(), part.ids.end());
  }
}

}  // namespace m2
