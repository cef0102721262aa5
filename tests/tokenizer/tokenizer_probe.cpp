// Answers tokenizer_oracle_test.py: a JSON request a line on stdin, a JSON answer a line on stdout.
//   {"load": PATH}                                     → {"vocab_size": N, "special": {…}}
//   {"text": A, "pair": B?, "special": true?, "max_length": N?, "cut": "start"?}
//                                                      → {"ids": […], "types": […], "offsets": […],
//                                                      …}
//   {"token": TEXT} → {"id": N};  {"id": N} → {"token": TEXT}
//   {"time": FILE, "repeat": N}                        → {"seconds": S}, for the file's text as one
// An Error gives {"error": MESSAGE, "kind": EXIT CODE}.
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/mapped_file.h"
#include "tokenizer/tokenizer.h"

namespace {

using nlohmann::json;

json answer_load(const m2::Tokenizer& tokenizer) {
  const m2::SpecialTokenIds& ids = tokenizer.special_ids();
  return {{"vocab_size", tokenizer.vocab_size()},
          {"special",
           {{"unk", ids.unk},
            {"cls", ids.cls},
            {"sep", ids.sep},
            {"pad", ids.pad},
            {"mask", ids.mask}}}};
}

json answer_encode(const m2::Tokenizer& tokenizer, const json& request) {
  m2::EncodeOptions options;
  options.add_special_tokens = request.value("special", true);
  options.max_length = request.value("max_length", int64_t{0});
  if (request.value("cut", "end") == "start") options.cut = m2::TruncationSide::kStart;
  const std::string text = request.at("text");
  const m2::Encoding encoding =
      request.contains("pair")
          ? tokenizer.encode_pair(text, request.at("pair").get<std::string>(), options)
          : tokenizer.encode(text, options);
  json offsets = json::array();
  for (const m2::Offsets& pair : encoding.offsets) offsets.push_back({pair.begin, pair.end});
  return {{"ids", encoding.ids},
          {"types", encoding.type_ids},
          {"offsets", offsets},
          {"total", encoding.total_tokens},
          {"kept", {encoding.texts[0].kept.begin, encoding.texts[0].kept.end}}};
}

json answer_time(const m2::Tokenizer& tokenizer, const json& request) {
  const std::string text = m2::read_text_file(request.at("time"), size_t{1} << 30);
  const int repeat = request.at("repeat");
  size_t tokens = 0;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < repeat; ++i) tokens += tokenizer.encode(text).ids.size();
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  return {{"seconds", taken.count()}, {"bytes", text.size()}, {"tokens", tokens}};
}

json answer(std::optional<m2::Tokenizer>& tokenizer, const json& request) {
  if (request.contains("load")) {
    tokenizer.emplace(m2::Tokenizer::load(request.at("load")));
    return answer_load(*tokenizer);
  }
  M2_CHECK(tokenizer.has_value());
  if (request.contains("token")) {
    return {{"id", tokenizer->id_of(request.at("token").get<std::string>())}};
  }
  if (request.contains("id")) return {{"token", tokenizer->token_text(request.at("id"))}};
  if (request.contains("time")) return answer_time(*tokenizer, request);
  return answer_encode(*tokenizer, request);
}

}  // namespace

int main() {
  std::optional<m2::Tokenizer> tokenizer;
  for (std::string line; std::getline(std::cin, line);) {
    try {
      std::cout << answer(tokenizer, json::parse(line)) << std::endl;
    } catch (const m2::Error& error) {
      std::cout << json{{"error", error.what()}, {"kind", static_cast<int>(error.kind())}}
                << std::endl;
    }
  }
}
