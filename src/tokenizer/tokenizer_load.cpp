// Tokenizer::load: which files there are, and what each has the say on.
#include <algorithm>
#include <filesystem>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "tokenizer/tokenizer_files.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

void check_template_ids(const std::vector<TemplatePiece>& pieces, int32_t vocab_size) {
  for (const TemplatePiece& piece : pieces) {
    for (const int32_t id : piece.ids) {
      if (id < vocab_size) continue;
      throw input_error(
          concat("post_processor sets the token id ", id, ", but ids end at ", vocab_size - 1));
    }
  }
}

Tokenizer build(TokenizerParts parts, const std::string& path, bool lower_case) {
  // Lower case before the normalizer or in it comes to the same: no step tells cases apart.
  if (parts.lower_case_first || lower_case) parts.normalizer.lowercase = true;
  const PostProcessor post_processor = parts.post_processor;
  try {
    Tokenizer tokenizer(std::move(parts));
    check_template_ids(post_processor.single, tokenizer.vocab_size());
    check_template_ids(post_processor.pair, tokenizer.vocab_size());
    return tokenizer;
  } catch (const Error& error) {
    throw input_error(concat(path, ": ", error.what()));
  }
}

void name_special_tokens(const TokenizerConfig& config, TokenizerParts& parts) {
  const auto name = [](const AddedToken& token, std::string& out) {
    if (!token.content.empty()) out = token.content;
  };
  name(config.cls, parts.cls_token);
  name(config.sep, parts.sep_token);
  name(config.pad, parts.pad_token);
  name(config.mask, parts.mask_token);
}

// BertTokenizerFast lets its configuration overrule the normalizer of tokenizer.json.
void overrule_normalizer(const TokenizerConfig& config, NormalizerOptions& options) {
  const auto overrule = [&](const std::optional<bool>& wanted, bool& option, const char* name) {
    if (!wanted || *wanted == option) return false;
    log_warning(concat(config.source, ": ", name, " overrules the normalizer of tokenizer.json"));
    option = *wanted;
    return true;
  };
  const bool changed = overrule(config.do_lower_case, options.lowercase, "do_lower_case");
  if (changed && !config.strip_accents) options.strip_accents = options.lowercase;
  overrule(config.strip_accents, options.strip_accents, "strip_accents");
  overrule(config.tokenize_chinese_chars, options.handle_chinese_chars, "tokenize_chinese_chars");
}

TokenizerParts parts_of_json(const std::string& path, const TokenizerConfig& config) {
  TokenizerParts parts = read_tokenizer_json(path);
  name_special_tokens(config, parts);
  if (is_bert_class(config.tokenizer_class)) {
    overrule_normalizer(config, parts.normalizer);
    if (config.do_lower_case) parts.lower_case_first = false;
  }
  return parts;
}

int32_t find_token(const std::vector<std::string>& tokens, const std::string& wanted) {
  const auto place = std::find(tokens.begin(), tokens.end(), wanted);
  return place == tokens.end() ? -1 : static_cast<int32_t>(place - tokens.begin());
}

// The added tokens that BertTokenizerFast makes of a vocab.txt: those of the configuration, and the
// special tokens that the vocabulary has.
std::vector<AddedToken> added_tokens(const TokenizerConfig& config, const TokenizerParts& parts) {
  std::vector<AddedToken> tokens = config.added_tokens;
  const auto add = [&](AddedToken token, const std::string& name) {
    const bool known = std::any_of(tokens.begin(), tokens.end(),
                                   [&](const AddedToken& other) { return other.content == name; });
    token.id = find_token(parts.model.tokens, name);
    token.content = name;
    token.special = true;
    if (!known && token.id >= 0) tokens.push_back(token);
  };
  add(config.unk, parts.model.unk_token);
  add(config.cls, parts.cls_token);
  add(config.sep, parts.sep_token);
  add(config.pad, parts.pad_token);
  add(config.mask, parts.mask_token);
  return tokens;
}

TokenizerParts parts_of_vocabulary(const std::string& path, const TokenizerConfig& config) {
  if (!config.tokenizer_class.empty() && !is_bert_class(config.tokenizer_class)) {
    throw input_error(concat(config.source, ": tokenizer_class is '",
                             printable(config.tokenizer_class),
                             "'; with a vocab.txt only BertTokenizer and its like are supported"));
  }
  TokenizerParts parts;
  parts.model = read_vocabulary(path);
  if (!config.unk.content.empty()) parts.model.unk_token = config.unk.content;
  name_special_tokens(config, parts);
  parts.normalizer.lowercase = config.do_lower_case.value_or(true);
  parts.normalizer.strip_accents = config.strip_accents.value_or(parts.normalizer.lowercase);
  parts.normalizer.handle_chinese_chars = config.tokenize_chinese_chars.value_or(true);
  parts.added_tokens = added_tokens(config, parts);
  const auto need = [&](const std::string& token) {
    const int32_t id = find_token(parts.model.tokens, token);
    if (id < 0) {
      throw input_error(concat(path, ": lacks the special token '", printable(token), "'"));
    }
    return id;
  };
  parts.post_processor = bert_post_processor(need(parts.cls_token), need(parts.sep_token));
  return parts;
}

}  // namespace

Tokenizer Tokenizer::load(const std::string& path, bool lower_case) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    const bool json = path.ends_with(".json");
    return build(json ? read_tokenizer_json(path) : parts_of_vocabulary(path, {}), path,
                 lower_case);
  }
  const std::string json = path + "/tokenizer.json";
  const std::string vocabulary = path + "/vocab.txt";
  if (file_exists(json)) {
    return build(parts_of_json(json, read_tokenizer_config(path)), json, lower_case);
  }
  if (!file_exists(vocabulary)) {
    throw input_error(concat(path, ": holds neither tokenizer.json nor vocab.txt"));
  }
  return build(parts_of_vocabulary(vocabulary, read_tokenizer_config(path)), vocabulary,
               lower_case);
}

}  // namespace m2
