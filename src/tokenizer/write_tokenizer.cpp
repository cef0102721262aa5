#include "tokenizer/write_tokenizer.h"

#include <nlohmann/json.hpp>

namespace m2 {
namespace {

using Json = nlohmann::ordered_json;

const std::string& text_of(const TokenizerParts& parts, int32_t id) {
  return parts.model.tokens.at(static_cast<size_t>(id));
}

// null: as `lowercase` says.
Json strip_accents(const NormalizerOptions& options) {
  return options.strip_accents == options.lowercase ? Json(nullptr) : Json(options.strip_accents);
}

Json added_tokens(const TokenizerParts& parts) {
  Json list = Json::array();
  for (const AddedToken& token : parts.added_tokens) {
    list.push_back({{"id", token.id},
                    {"content", token.content},
                    {"single_word", token.single_word},
                    {"lstrip", token.lstrip},
                    {"rstrip", token.rstrip},
                    {"normalized", token.normalized},
                    {"special", token.special}});
  }
  return list;
}

Json template_of(const TokenizerParts& parts, const std::vector<TemplatePiece>& pieces) {
  Json list = Json::array();
  for (const TemplatePiece& piece : pieces) {
    const auto add = [&](const char* kind, const std::string& id) {
      list.push_back({{kind, {{"id", id}, {"type_id", piece.type_id}}}});
    };
    if (piece.kind == TemplatePiece::Kind::kSpecial) {
      for (const int32_t id : piece.ids) add("SpecialToken", text_of(parts, id));
    } else {
      add("Sequence", piece.kind == TemplatePiece::Kind::kFirst ? "A" : "B");
    }
  }
  return list;
}

Json post_processor(const TokenizerParts& parts) {
  Json special = Json::object();
  for (const TemplatePiece& piece : parts.post_processor.pair) {
    for (const int32_t id : piece.ids) {
      const std::string& token = text_of(parts, id);
      special[token] = {{"id", token}, {"ids", {id}}, {"tokens", {token}}};
    }
  }
  return {{"type", "TemplateProcessing"},
          {"single", template_of(parts, parts.post_processor.single)},
          {"pair", template_of(parts, parts.post_processor.pair)},
          {"special_tokens", special}};
}

Json word_piece(const WordPieceModel& model) {
  Json::object_t ids;  // filled from behind: its own insertion looks through all keys before
  ids.reserve(model.tokens.size());
  for (size_t id = 0; id < model.tokens.size(); ++id) ids.emplace_back(model.tokens[id], id);
  Json out = {{"type", "WordPiece"},
              {"unk_token", model.unk_token},
              {"continuing_subword_prefix", model.continuing_prefix},
              {"max_input_chars_per_word", model.max_characters_per_word}};
  out["vocab"] = std::move(ids);
  return out;
}

std::string file_text(const Json& document) {
  return document.dump(2) + "\n";
}

}  // namespace

std::string vocabulary_text(const WordPieceModel& model) {
  std::string text;
  for (const std::string& token : model.tokens) text += token + "\n";
  return text;
}

std::string tokenizer_json_text(const TokenizerParts& parts) {
  const NormalizerOptions& normalizer = parts.normalizer;
  const Json document = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added_tokens(parts)},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"clean_text", normalizer.clean_text},
        {"handle_chinese_chars", normalizer.handle_chinese_chars},
        {"strip_accents", strip_accents(normalizer)},
        {"lowercase", normalizer.lowercase}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor", post_processor(parts)},
      {"decoder",
       {{"type", "WordPiece"}, {"prefix", parts.model.continuing_prefix}, {"cleanup", true}}},
      {"model", word_piece(parts.model)}};
  return file_text(document);
}

std::string tokenizer_config_text(const TokenizerParts& parts) {
  return file_text({{"tokenizer_class", "BertTokenizer"},
                    {"do_lower_case", parts.normalizer.lowercase},
                    {"strip_accents", strip_accents(parts.normalizer)},
                    {"tokenize_chinese_chars", parts.normalizer.handle_chinese_chars},
                    {"unk_token", parts.model.unk_token},
                    {"sep_token", parts.sep_token},
                    {"pad_token", parts.pad_token},
                    {"cls_token", parts.cls_token},
                    {"mask_token", parts.mask_token}});
}

}  // namespace m2
