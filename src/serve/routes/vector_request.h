// What routes that return vectors share.
#pragma once

#include "serve/inputs.h"
#include "serve/task.h"

namespace m2 {

// Most JSON values that a body within the server's other limits can need.
size_t values_limit(const RouteContext& context);

// ApiError(kTooManyInputs) where an answer of `width` floats a sequence, or a token, would be
// longer than the server sends.
void check_response_size(const Inputs& inputs, const RouteContext& context, size_t width,
                         bool every_token);

// "truncate", "truncation_direction" and "prompt_name", as text-embeddings-inference has them.
InputOptions inference_options(const RequestJson& json, const RouteContext& context,
                               const Model& model);

}  // namespace m2
