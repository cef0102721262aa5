#include "embedding/embedder.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "embedding/prompted_text.h"

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

Tokenizer load_vocabulary(const std::string& path, const std::string& model_folder,
                          const ModelConfig& config, bool lower_case) {
  namespace fs = std::filesystem;
  const std::string source = path.empty() ? model_folder : path;
  if (path.empty() && !fs::exists(fs::path(source) / "tokenizer.json") &&
      !fs::exists(fs::path(source) / "vocab.txt")) {
    throw input_error(concat(source, ": holds no tokenizer.json and no vocab.txt; name one with ",
                             "--tokenizer PATH, or give token ids with --input-ids"));
  }
  Tokenizer tokenizer = Tokenizer::load(source, lower_case);
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

}  // namespace

struct Embedder::Prepared {
  std::vector<TokenSequence> sequences;
  std::vector<TextVectors> reports;  // one a sequence
};

Embedder::Embedder(std::shared_ptr<const Model> model, Tokenizer tokenizer,
                   const SessionOptions& session)
    : session_(std::move(model), session), tokenizer_(std::move(tokenizer)) {}

void Embedder::prepare(const NamedText& text, const std::string& prompt,
                       const EmbedOptions& options, size_t index, Prepared& out) const {
  if (is_blank(text.text)) throw input_error(concat(text.name, ": the text is empty"));
  const PromptedText tokens = [&] {
    try {
      return tokenize(tokenizer_, prompt, text.text);
    } catch (const Error& error) {
      throw Error(error.kind(), concat(text.name, ": ", error.what()));
    }
  }();
  const std::vector<TokenRange> ranges = options.chunk > 0
                                             ? chunk_ranges(tokens, options, text.name)
                                             : cut_range(tokens, options, model(), text.name);
  for (size_t chunk = 0; chunk < ranges.size(); ++chunk) {
    TokenSequence sequence = tokens.sequence(ranges[chunk]);
    TextVectors report;
    report.index = index;
    report.tokens = static_cast<int64_t>(sequence.ids.size());
    report.total_tokens = tokens.total();
    report.characters = tokens.characters;
    report.truncated = options.chunk == 0 && ranges[0].size() < tokens.text_tokens();
    report.kept = options.chunk > 0 ? tokens.span(ranges[chunk]) : tokens.kept(ranges[chunk]);
    report.chunk = chunk;
    report.chunks = options.chunk > 0 ? ranges.size() : 0;
    pad_to_contract(model().config, sequence);
    out.sequences.push_back(std::move(sequence));
    out.reports.push_back(report);
  }
}

void Embedder::embed(std::span<const NamedText> texts, const EmbedOptions& options,
                     const Deliver& deliver, const Session::GoOn& go_on) {
  check_chunks(options, model());
  const std::string prompt = prompt_of(model(), options);
  Prepared prepared;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (go_on && !go_on({})) throw Error(ErrorKind::kInterrupted, "interrupted");
    prepare(texts[i], prompt, options, i, prepared);
  }
  const VectorRequest request = request_of(model(), options.pooling, options.normalise);
  session_.compute(
      prepared.sequences, request,
      [&](const SequenceVectors& vectors) {
        TextVectors result = prepared.reports[vectors.index];
        const size_t width = vectors.values.size() / vectors.rows;
        // Hidden states of pads are no part of the text.
        result.rows = std::min(vectors.rows, static_cast<size_t>(result.tokens));
        result.values = vectors.values.first(result.rows * width);
        deliver(result);
      },
      go_on);
}

std::string prompt_of(const Model& model, const EmbedOptions& options) {
  const SentenceLayout& layout = model.layout;
  if (options.prompt && options.prompt_name) {
    throw usage_error("give a prompt or a prompt's name, not both");
  }
  std::string prompt = options.prompt.value_or("");
  const auto name = options.prompt_name ? options.prompt_name : layout.default_prompt;
  if (!options.prompt && name) {
    const auto found = std::find_if(layout.prompts.begin(), layout.prompts.end(),
                                    [&](const auto& known) { return known.first == *name; });
    if (found == layout.prompts.end()) {
      std::vector<std::string> names;
      for (const auto& known : layout.prompts) names.push_back(printable(known.first));
      throw usage_error(concat("the model has no prompt named \"", printable(*name), "\"; it has ",
                               names.empty() ? "none at all" : join(names, ", ")));
    }
    prompt = found->second;
  }
  if (!prompt.empty() && !layout.include_prompt) {
    throw input_error(
        "the model pools without the prompt's tokens (include_prompt is false), which is not "
        "supported; embed without a prompt: --prompt \"\"");
  }
  return prompt;
}

Tokenizer load_tokenizer(const std::string& path, const Model& model) {
  return load_vocabulary(path, model.folder, model.config, model.layout.lower_case);
}

Tokenizer load_tokenizer(const std::string& path, const ModelDescription& model) {
  return load_vocabulary(path, model.folder, model.config, model.layout.lower_case);
}

void pad_to_contract(const ModelConfig& config, TokenSequence& sequence) {
  if (config.padding == Padding::kNone) return;
  const size_t length = static_cast<size_t>(config.max_length());
  sequence.ids.resize(length, kPadId);
  sequence.types.resize(length, 0);
  sequence.mask.resize(length, 0);
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
