// The routes: what a request asks for, and how its answer is written. A function throws ApiError
// for a request that it does not serve.
#pragma once

#include "serve/api_error.h"
#include "serve/http/message.h"
#include "serve/task.h"

namespace m2 {

// OpenAI's and Together's: {"model", "input", "encoding_format"?, "dimensions"?, "truncate"?}.
Prepared embeddings_route(const HttpRequest& request, const RouteContext& context);
// text-embeddings-inference's: {"inputs", "normalize"?, "truncate"?, "dimensions"?,
// "prompt_name"?}.
Prepared embed_route(const HttpRequest& request, const RouteContext& context);
// The same with a vector for every token.
Prepared embed_all_route(const HttpRequest& request, const RouteContext& context);
// {"inputs": {"source_sentence", "sentences"}}: cosines.
Prepared similarity_route(const HttpRequest& request, const RouteContext& context);
// The one before, or embed_route, as "inputs" is an object or not.
Prepared root_route(const HttpRequest& request, const RouteContext& context);
// {"query", "texts", "raw_scores"?, "return_text"?}: by a model with one label.
Prepared rerank_route(const HttpRequest& request, const RouteContext& context);
// {"inputs", "add_special_tokens"?}: the tokens of each text.
Prepared tokenize_route(const HttpRequest& request, const RouteContext& context);

// GET: what there is.
Prepared models_route(const HttpRequest& request, const RouteContext& context);
Prepared info_route(const HttpRequest& request, const RouteContext& context);

}  // namespace m2
