// What routes that return vectors share.
#pragma once

#include <string>

#include "serve/inputs.h"
#include "serve/task.h"

namespace m2 {

// Most JSON values that a body within the server's other limits can need.
size_t values_limit(const RouteContext& context);

// ApiError(kTooManyInputs) for an answer longer than the server sends.
void check_answer_bytes(size_t bytes, const RouteContext& context);
// The same before there is one, of `width` floats a sequence or a token.
void check_response_size(const Inputs& inputs, const RouteContext& context, size_t width,
                         bool every_token);

// What to do with long texts and which prompt to set before each, as text-embeddings-inference has
// it: "truncate" and "truncation_direction"; "prompt_name", or the model's default; and all three.
InputOptions truncation_options(const RequestJson& json, const RouteContext& context);
std::string wanted_prompt(const RequestJson& json, const Model& model);
// The prompt that options name; ApiError(kBadRequest) where the model cannot take one.
std::string served_prompt(const Model& model, const EmbedOptions& options);
InputOptions inference_options(const RequestJson& json, const RouteContext& context,
                               const Model& model);

// The work of similarity_route, for a body that was read.
Prepared similarity(const RequestJson& json, const RouteContext& context);

}  // namespace m2
