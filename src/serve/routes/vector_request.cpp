#include "serve/routes/vector_request.h"

#include "core/error.h"
#include "core/text.h"
#include "serve/api_error.h"
#include "serve/request_json.h"

namespace m2 {
namespace {

// Of a float as text: "-0.012345678," and the like.
constexpr size_t kNumberBytes = 14;
// Fields beside the inputs, and a list's own brackets.
constexpr size_t kOtherValues = 1000;

}  // namespace

size_t values_limit(const RouteContext& context) {
  return context.options.request_tokens + 2 * context.options.inputs + kOtherValues;
}

void check_answer_bytes(size_t bytes, const RouteContext& context) {
  if (bytes <= context.options.response_bytes) return;
  throw ApiError(
      ApiProblem::kTooManyInputs,
      concat("the answer would be ", bytes_text(bytes), " or more, this server sends ",
             bytes_text(context.options.response_bytes), " at most; send fewer inputs at once"))
      .at_limit("response_bytes");
}

void check_response_size(const Inputs& inputs, const RouteContext& context, size_t width,
                         bool every_token) {
  const size_t rows = every_token ? static_cast<size_t>(inputs.tokens) : inputs.sequences.size();
  check_answer_bytes(rows * width * kNumberBytes, context);
}

InputOptions truncation_options(const RequestJson& json, const RouteContext& context) {
  InputOptions options;
  options.truncate = json.flag("truncate").value_or(context.options.auto_truncate);
  const auto side = json.word("truncation_direction", {"Right", "Left", "right", "left"});
  if (side == "Left" || side == "left") options.cut = TruncationSide::kStart;
  return options;
}

std::string wanted_prompt(const RequestJson& json, const Model& model) {
  EmbedOptions options;
  options.prompt_name = json.optional_text("prompt_name");
  return served_prompt(model, options);
}

std::string served_prompt(const Model& model, const EmbedOptions& options) {
  try {
    return prompt_of(model, options);
  } catch (const Error& error) {
    throw ApiError(ApiProblem::kBadRequest, error.what(), options.prompt_name ? "prompt_name" : "");
  }
}

InputOptions inference_options(const RequestJson& json, const RouteContext& context,
                               const Model& model) {
  InputOptions options = truncation_options(json, context);
  options.prompt = wanted_prompt(json, model);
  return options;
}

}  // namespace m2
