#include "embedding/embedder.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr int32_t kPadId =
    0;  // the published contract pads with id 0, whatever the vocabulary says

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

int32_t narrow(int64_t value, const char* what, size_t row) {
  if (value < 0 || value > std::numeric_limits<int32_t>::max()) {
    throw usage_error(concat("row ", row, ": ", what, " holds ", value));
  }
  return static_cast<int32_t>(value);
}

}  // namespace

struct Embedder::Prepared {
  TokenSequence sequence;
  TextVectors report;
};

Embedder::Embedder(std::shared_ptr<const Model> model, Tokenizer tokenizer,
                   const SessionOptions& session)
    : session_(std::move(model), session), tokenizer_(std::move(tokenizer)) {}

Embedder::Prepared Embedder::prepare(const NamedText& text, Truncation truncation) const {
  if (is_blank(text.text)) throw input_error(concat(text.name, ": the text is empty"));
  const int64_t longest = model().config.max_length();
  EncodeOptions options;
  options.max_length = truncation == Truncation::kError ? 0 : longest;
  options.cut = truncation == Truncation::kStart ? TruncationSide::kStart : TruncationSide::kEnd;
  Encoding encoding;
  try {
    encoding = tokenizer_.encode(text.text, options);
  } catch (const Error& error) {
    throw Error(error.kind(), concat(text.name, ": ", error.what()));
  }
  const int64_t tokens = static_cast<int64_t>(encoding.ids.size());
  if (tokens > longest) {
    throw input_error(concat(text.name, ": the text has ", tokens, " tokens, the model takes ",
                             longest, "; cut it with --truncate end or start"));
  }
  Prepared prepared;
  prepared.report.tokens = tokens;
  prepared.report.total_tokens = encoding.total_tokens;
  prepared.report.characters = encoding.texts[0].characters;
  prepared.report.kept = encoding.texts[0].kept;
  prepared.report.truncated = encoding.texts[0].cut();
  prepared.sequence.ids = std::move(encoding.ids);
  prepared.sequence.types = std::move(encoding.type_ids);
  prepared.sequence.mask.assign(prepared.sequence.ids.size(), 1);
  if (model().config.padding == Padding::kMaxLength) {
    const size_t length = static_cast<size_t>(longest);
    prepared.sequence.ids.resize(length, kPadId);
    prepared.sequence.types.resize(length, 0);
    prepared.sequence.mask.resize(length, 0);
  }
  return prepared;
}

void Embedder::embed(std::span<const NamedText> texts, const EmbedOptions& options,
                     const Deliver& deliver, const Session::GoOn& go_on) {
  std::vector<TokenSequence> sequences;
  std::vector<TextVectors> reports;
  for (size_t i = 0; i < texts.size(); ++i) {
    Prepared prepared = prepare(texts[i], options.truncation);
    prepared.report.index = i;
    sequences.push_back(std::move(prepared.sequence));
    reports.push_back(prepared.report);
  }
  const ModelConfig& config = model().config;
  const VectorRequest request = {options.pooling.value_or(config.pooling),
                                 options.normalise.value_or(config.use_normalized_embeddings)};
  const size_t channels = static_cast<size_t>(config.hidden_size);
  session_.compute(
      sequences, request,
      [&](const SequenceVectors& vectors) {
        TextVectors result = reports[vectors.index];
        // Hidden states of pads are no part of the text.
        result.rows = std::min(vectors.rows, static_cast<size_t>(result.tokens));
        result.values = vectors.values.first(result.rows * channels);
        deliver(result);
      },
      go_on);
}

Tokenizer load_tokenizer(const std::string& path, const std::string& model_folder,
                         const ModelConfig& config) {
  namespace fs = std::filesystem;
  const std::string source = path.empty() ? model_folder : path;
  if (path.empty() && !fs::exists(fs::path(source) / "tokenizer.json") &&
      !fs::exists(fs::path(source) / "vocab.txt")) {
    throw input_error(concat(source, ": holds no tokenizer.json and no vocab.txt; name one with ",
                             "--tokenizer PATH, or give token ids with --input-ids"));
  }
  Tokenizer tokenizer = Tokenizer::load(source);
  // A vocabulary may be smaller than the table, which is padded; a larger one has ids without a
  // row.
  if (tokenizer.vocab_size() > config.padded_vocab_size()) {
    throw input_error(concat(source, ": the vocabulary has ", tokenizer.vocab_size(),
                             " tokens, but the model's word embeddings ",
                             config.padded_vocab_size(), ": it belongs to another model"));
  }
  constexpr int32_t kRoundedUp = 8;
  if (tokenizer.vocab_size() + kRoundedUp <= config.vocab_size) {
    throw input_error(concat(source, ": the vocabulary has ", tokenizer.vocab_size(),
                             " tokens, but the model was made for ", config.vocab_size,
                             ": it belongs to another model"));
  }
  return tokenizer;
}

TokenSequence sequence_from_ids(std::span<const int64_t> ids, std::span<const int64_t> types,
                                std::span<const int64_t> mask, Padding padding, size_t row) {
  TokenSequence sequence;
  size_t length = ids.size();
  if (padding == Padding::kNone) {
    while (length > 0 && !mask.empty() && mask[length - 1] == 0) --length;
  }
  for (size_t i = 0; i < length; ++i) {
    const int32_t counts = mask.empty() ? 1 : narrow(mask[i], "the attention mask", row);
    if (counts > 1) {
      throw usage_error(concat("row ", row, ": the attention mask holds ", counts,
                               "; only 0 and 1 mean something"));
    }
    if (padding == Padding::kNone && counts == 0) {
      throw usage_error(concat("row ", row, ": the attention mask has a 0 before a 1, at position ",
                               i, "; the model takes texts without gaps"));
    }
    sequence.ids.push_back(narrow(ids[i], "the ids", row));
    sequence.types.push_back(types.empty() ? 0 : narrow(types[i], "the token types", row));
    sequence.mask.push_back(counts);
  }
  if (length == 0) throw usage_error(concat("row ", row, ": the attention mask leaves no token"));
  return sequence;
}

}  // namespace m2
