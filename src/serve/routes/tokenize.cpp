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

using Json = nlohmann::ordered_json;

// Tokens with their characters in the text; special ones have none.
Json tokens_of(const Tokenizer& tokenizer, const Encoding& encoding) {
  Json tokens = Json::array();
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    const bool special = encoding.offsets[i] == Offsets{};
    Json token = {{"id", encoding.ids[i]},
                  {"text", tokenizer.token_text(encoding.ids[i])},
                  {"special", special},
                  {"start", nullptr},
                  {"stop", nullptr}};
    if (!special) {
      token["start"] = encoding.offsets[i].begin;
      token["stop"] = encoding.offsets[i].end;
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

std::vector<std::string> texts_of(const nlohmann::json& inputs, size_t most) {
  const auto check = [](const nlohmann::json& text, const std::string& param) {
    if (!text.is_string()) {
      throw ApiError(ApiProblem::kBadRequest, concat("must be a string, is ", text.type_name()),
                     param);
    }
    return text.get<std::string>();
  };
  if (!inputs.is_array()) return {check(inputs, "inputs")};
  if (inputs.empty()) throw ApiError(ApiProblem::kBadRequest, "the list is empty", "inputs");
  if (inputs.size() > most) {
    throw ApiError(
        ApiProblem::kTooManyInputs,
        concat("the request has ", inputs.size(), " inputs, this server takes ", most, " at once"),
        "inputs")
        .at_limit("inputs");
  }
  std::vector<std::string> texts;
  for (size_t i = 0; i < inputs.size(); ++i) {
    texts.push_back(check(inputs[i], concat("inputs[", i, "]")));
  }
  return texts;
}

}  // namespace

Prepared tokenize_route(const HttpRequest& request, const RouteContext& context) {
  const RequestJson json(request, values_limit(context));
  const ServedModel& model = wanted_model(json, context);
  const std::string prompt = wanted_prompt(json, model.model());
  EncodeOptions encode;
  encode.add_special_tokens = json.flag("add_special_tokens").value_or(true);
  Json answer = Json::array();
  for (const std::string& text : texts_of(json.required("inputs"), context.options.inputs)) {
    try {
      answer.push_back(
          tokens_of(model.tokenizer(), model.tokenizer().encode(prompt + text, encode)));
    } catch (const Error& error) {
      throw ApiError(ApiProblem::kBadRequest, error.what(), "inputs");
    }
  }
  HttpResponse response;
  response.body = answer.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

}  // namespace m2
