#include <m2/tokens.h>

#include "core/error.h"
#include "core/text.h"
#include "library/call.h"
#include "library/objects.h"
#include "library/versioned.h"

namespace m2 {
namespace {

std::shared_ptr<TokensObject> tokenize(const Tokenizer& tokenizer, std::string_view text,
                                       const m2_tokenize_options& options) {
  const Truncation truncation = truncation_of(options.truncation);
  if (options.max_tokens < 0) throw usage_error("max_tokens is below 0");
  EncodeOptions encode;
  encode.add_special_tokens = choice_of(options.special_tokens, "special_tokens").value_or(true);
  if (truncation != Truncation::kError) encode.max_length = options.max_tokens;
  encode.cut = truncation == Truncation::kStart ? TruncationSide::kStart : TruncationSide::kEnd;
  Encoding encoding = tokenizer.encode(text, encode);
  if (options.max_tokens > 0 && encoding.total_tokens > options.max_tokens &&
      truncation == Truncation::kError) {
    throw input_error(concat("the text has ", encoding.total_tokens, " tokens, and max_tokens is ",
                             options.max_tokens));
  }
  const auto tokens = std::make_shared<TokensObject>();
  tokens->ids = std::move(encoding.ids);
  for (const Offsets& offsets : encoding.offsets) {
    tokens->spans.push_back({offsets.begin, offsets.end});
  }
  tokens->total_tokens = encoding.total_tokens;
  return tokens;
}

}  // namespace
}  // namespace m2

using namespace m2;

extern "C" {

m2_status m2_tokenize(const m2_model* model, const char* text, size_t length,
                      const m2_tokenize_options* options, m2_tokens** list) noexcept {
  return call_guarded([&] {
    check_pointer(list, "tokens");
    *list = nullptr;
    const auto object = models().get(model);
    check_pointer(text, "text");
    *list = tokens().add(tokenize(object->text_tokenizer(), bytes_of(text, length),
                                  read_options(options, "m2_tokenize_options")));
  });
}

m2_status m2_tokens_get(const m2_tokens* handle, m2_token_list* list) noexcept {
  return call_guarded([&] {
    const auto object = tokens().get(handle);
    check_pointer(list, "list");
    m2_token_list answer{};
    answer.count = object->ids.size();
    answer.ids = object->ids.data();
    answer.spans = object->spans.data();
    answer.total_tokens = object->total_tokens;
    write_answer(answer, *list, "m2_token_list");
  });
}

m2_status m2_tokens_free(m2_tokens* handle) noexcept {
  return call_guarded([&] { tokens().free(handle); });
}

m2_status m2_token_text(const m2_model* model, int32_t id, const char** text) noexcept {
  return call_guarded([&] {
    check_pointer(text, "text");
    *text = nullptr;
    *text = models().get(model)->text_tokenizer().token_text(id).c_str();
  });
}

}  // extern "C"
