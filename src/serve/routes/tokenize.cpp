#include <string>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "embedding/prompted_text.h"
#include "serve/request_json.h"
#include "serve/routes/routes.h"
#include "serve/routes/vector_request.h"

namespace m2 {
namespace {

// Writes the answer as it goes: a token takes many times its text's bytes, so no tree is made of
// it.
class TokenWriter {
 public:
  TokenWriter(const Tokenizer& tokenizer, const RouteContext& context)
      : tokenizer_(tokenizer), context_(context) {}

  void add(const Encoding& encoding) {
    out_ += out_.empty() ? "[[" : ",[";
    for (size_t i = 0; i < encoding.ids.size(); ++i) {
      if (i > 0) out_ += ',';
      add_token(encoding.ids[i], encoding.offsets[i]);
      check_answer_bytes(out_.size(), context_);
    }
    out_ += ']';
  }

  std::string take() { return std::move(out_) + "]"; }

 private:
  // Characters in the text; a special token has none.
  void add_token(int32_t id, const Offsets& place) {
    const bool special = place == Offsets{};
    const std::string text = nlohmann::json(tokenizer_.token_text(id))
                                 .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    out_ += concat("{\"id\":", id, ",\"text\":", text, ",\"special\":", special ? "true" : "false");
    out_ += special ? std::string(R"(,"start":null,"stop":null})")
                    : concat(",\"start\":", place.begin, ",\"stop\":", place.end, "}");
  }

  const Tokenizer& tokenizer_;
  const RouteContext& context_;
  std::string out_;
};

}  // namespace

Prepared tokenize_route(const HttpRequest& request, const RouteContext& context) {
  const RequestJson json(request, values_limit(context));
  const ServedModel& model = wanted_model(json, context);
  const Tokenizer& tokenizer = model.tokenizer();
  const std::string prompt = wanted_prompt(json, model.model());
  EncodeOptions encode;
  encode.add_special_tokens = json.flag("add_special_tokens").value_or(true);
  TokenWriter writer(tokenizer, context);
  const auto add = [&](const nlohmann::json& text, const std::string& param) {
    try {
      writer.add(tokenizer.encode(prompt + string_of(text, param), encode));
    } catch (const Error& error) {
      throw ApiError(ApiProblem::kBadRequest, error.what(), param);
    }
  };
  const nlohmann::json& inputs = json.required("inputs");
  if (inputs.is_array()) {
    check_count(inputs.size(), context.options, "inputs");
    for (size_t i = 0; i < inputs.size(); ++i) add(inputs[i], concat("inputs[", i, "]"));
  } else {
    add(inputs, "inputs");
  }
  HttpResponse response;
  response.body = writer.take();
  return response;
}

}  // namespace m2
