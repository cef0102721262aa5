// tokenizer.json: the file format of the `tokenizers` package.
#include <algorithm>

#include "core/error.h"
#include "core/text.h"
#include "tokenizer/json_document.h"
#include "tokenizer/tokenizer_files.h"

namespace m2 {
namespace {

// A section's only part: itself, or what a Sequence of one holds.
JsonValue only_part(const JsonValue& section, const std::string& list) {
  if (!section.has("type") || section.at("type").string() != "Sequence") return section;
  const JsonValue parts = section.at(list);
  if (parts.size() != 1) parts.refuse("has several steps; only a single one is supported");
  return parts.at(size_t{0});
}

[[noreturn]] void refuse_type(const JsonValue& section, const std::string& supported) {
  section.at("type").refuse(concat("is '", printable(section.at("type").string()), "'; only ",
                                   supported, " is supported"));
}

// BertNormalizer; or, as sentence-transformers writes it for do_lower_case, Lowercase before it.
NormalizerOptions read_normalizer(const JsonValue& section, bool& lower_case_first) {
  if (section.is_null()) return NormalizerOptions::none();
  const auto is_lower_case = [](const JsonValue& step) {
    return step.has("type") && step.at("type").string() == "Lowercase";
  };
  lower_case_first = section.has("normalizers") && section.at("normalizers").size() == 2 &&
                     is_lower_case(section.at("normalizers").at(size_t{0}));
  const JsonValue part = lower_case_first ? section.at("normalizers").at(size_t{1})
                                          : only_part(section, "normalizers");
  if (part.at("type").string() != "BertNormalizer") refuse_type(part, "BertNormalizer");
  NormalizerOptions options;
  options.clean_text = part.at("clean_text").boolean();
  options.handle_chinese_chars = part.at("handle_chinese_chars").boolean();
  options.lowercase = part.at("lowercase").boolean();
  options.strip_accents =
      part.sets("strip_accents") ? part.at("strip_accents").boolean() : options.lowercase;
  return options;
}

void check_pre_tokenizer(const JsonValue& section) {
  if (section.is_null()) section.refuse("is null; only BertPreTokenizer is supported");
  const JsonValue part = only_part(section, "pretokenizers");
  if (part.at("type").string() != "BertPreTokenizer") refuse_type(part, "BertPreTokenizer");
}

std::vector<std::string> read_vocab(const JsonValue& section) {
  if (!section.json().is_object()) section.refuse("must be an object of tokens and ids");
  const size_t count = section.json().size();
  std::vector<std::string> tokens(count);
  std::vector<bool> seen(count);
  for (const auto& [token, id_json] : section.json().items()) {
    const JsonValue value = section.at(token);
    const size_t id = static_cast<size_t>(value.id());
    if (id >= count) {
      value.refuse(concat("has the id ", id, "; the ", count,
                          " tokens' ids must be 0 and up, without a hole"));
    }
    if (seen[id]) value.refuse(concat("has the id ", id, ", which another token has too"));
    if (token.size() > kMaxTokenBytes) {
      value.refuse(concat("is longer than ", kMaxTokenBytes, " bytes"));
    }
    seen[id] = true;
    tokens[id] = token;
  }
  return tokens;
}

WordPieceModel read_model(const JsonValue& section) {
  if (section.has("type") && section.at("type").string() != "WordPiece") {
    refuse_type(section, "WordPiece");
  }
  WordPieceModel model;
  model.unk_token = section.at("unk_token").string();
  model.continuing_prefix = section.at("continuing_subword_prefix").string();
  const JsonValue limit = section.at("max_input_chars_per_word");
  model.max_characters_per_word = limit.id();
  if (model.max_characters_per_word > kMaxWordCharacters) {
    limit.refuse(concat("is more than ", kMaxWordCharacters));
  }
  model.tokens = read_vocab(section.at("vocab"));
  return model;
}

std::vector<AddedToken> read_added_tokens(const JsonValue& section) {
  std::vector<AddedToken> tokens;
  for (size_t i = 0; i < section.size(); ++i) {
    const JsonValue entry = section.at(i);
    AddedToken token;
    token.content = entry.at("content").string();
    token.id = entry.at("id").id();
    token.single_word = entry.at("single_word").boolean();
    token.lstrip = entry.at("lstrip").boolean();
    token.rstrip = entry.at("rstrip").boolean();
    token.normalized = entry.at("normalized").boolean();
    token.special = entry.at("special").boolean();
    tokens.push_back(std::move(token));
  }
  return tokens;
}

TemplatePiece read_piece(const JsonValue& piece, const JsonValue& special_tokens) {
  using Kind = TemplatePiece::Kind;
  if (piece.has("Sequence")) {
    const JsonValue sequence = piece.at("Sequence");
    const std::string& name = sequence.at("id").string();
    if (name != "A" && name != "B") sequence.at("id").refuse("must be 'A' or 'B'");
    return {name == "A" ? Kind::kFirst : Kind::kSecond, {}, sequence.at("type_id").id()};
  }
  const JsonValue special = piece.at("SpecialToken");
  TemplatePiece out{Kind::kSpecial, {}, special.at("type_id").id()};
  const JsonValue ids = special_tokens.at(special.at("id").string()).at("ids");
  for (size_t i = 0; i < ids.size(); ++i) out.ids.push_back(ids.at(i).id());
  return out;
}

std::vector<TemplatePiece> read_template(const JsonValue& section, const JsonValue& special_tokens,
                                         int64_t seconds) {
  std::vector<TemplatePiece> pieces;
  for (size_t i = 0; i < section.size(); ++i) {
    pieces.push_back(read_piece(section.at(i), special_tokens));
  }
  const auto count = [&](TemplatePiece::Kind kind) {
    return std::count_if(pieces.begin(), pieces.end(),
                         [kind](const TemplatePiece& piece) { return piece.kind == kind; });
  };
  if (count(TemplatePiece::Kind::kFirst) != 1 || count(TemplatePiece::Kind::kSecond) != seconds) {
    section.refuse(seconds == 0 ? "must hold A once and no B" : "must hold A and B once each");
  }
  return pieces;
}

PostProcessor read_post_processor(const JsonValue& section) {
  if (section.is_null()) return {};
  const JsonValue part = only_part(section, "processors");
  const std::string& type = part.at("type").string();
  if (type == "BertProcessing") {
    const auto id = [&](const char* name) {
      const JsonValue token = part.at(name);
      if (token.size() != 2) token.refuse("must be a token and its id");
      return token.at(size_t{1}).id();
    };
    return bert_post_processor(id("cls"), id("sep"));
  }
  if (type != "TemplateProcessing") refuse_type(part, "TemplateProcessing or BertProcessing");
  const JsonValue special_tokens = part.at("special_tokens");
  return {read_template(part.at("single"), special_tokens, 0),
          read_template(part.at("pair"), special_tokens, 1)};
}

}  // namespace

TokenizerParts read_tokenizer_json(const std::string& path) {
  const nlohmann::json document = read_json_object(path, kMaxTokenizerBytes);
  const JsonValue root(document, path);
  if (root.has("version") && root.at("version").string() != "1.0") {
    root.at("version").refuse("is not '1.0'");
  }
  const nlohmann::json null;
  const auto section = [&](const char* name) {
    return root.has(name) ? root.at(name) : JsonValue(null, path, name);
  };
  TokenizerParts parts;
  parts.model = read_model(root.at("model"));
  parts.normalizer = read_normalizer(section("normalizer"), parts.lower_case_first);
  check_pre_tokenizer(section("pre_tokenizer"));
  parts.post_processor = read_post_processor(section("post_processor"));
  if (root.has("added_tokens")) parts.added_tokens = read_added_tokens(root.at("added_tokens"));
  return parts;
}

}  // namespace m2
