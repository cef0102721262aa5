#include <string>

#include "serve/routes/routes.h"
#include "serve/served_model.h"

namespace m2 {
namespace {

using Json = nlohmann::ordered_json;

HttpResponse json_response(const Json& json) {
  HttpResponse response;
  response.body = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

Json model_entry(const ServedModel& model, const std::string& name, const ServeOptions& options) {
  Json entry = {{"id", name},
                {"object", "model"},
                {"created", model.ready() ? model.loaded_at() : 0},
                {"owned_by", "m2"},
                {"ready", model.ready()}};
  if (model.ready()) {
    entry["max_input_tokens"] = longest_input(model, options);
    entry["dimensions"] = model.model().vector_size();
  }
  return entry;
}

}  // namespace

Prepared models_route(const HttpRequest&, const RouteContext& context) {
  Json data = Json::array();
  for (const auto& model : context.models.all()) {
    for (const std::string& name : model->names())
      data.push_back(model_entry(*model, name, context.options));
  }
  return json_response({{"object", "list"}, {"data", data}});
}

Prepared info_route(const HttpRequest&, const RouteContext& context) {
  const ServedModel& served = context.models.first();
  if (!served.ready()) {
    throw ApiError(ApiProblem::kLoading, "the model is being loaded").with_retry_after(1);
  }
  const Model& model = served.model();
  const std::string pooling = pooling_name(model.config.pooling);
  const Json type = model.classifier && model.classifier->labels() == 1
                        ? Json{{"reranker", Json{{"id2label", Json{{"0", "LABEL_0"}}}}}}
                        : Json{{"embedding", Json{{"pooling", pooling}}}};
  return json_response({{"model_id", served.name()},
                        {"model_sha", nullptr},
                        {"model_dtype", dtype_name(model.dtype)},
                        {"model_type", type},
                        {"max_concurrent_requests", context.options.http.connections},
                        {"max_input_length", longest_input(served, context.options)},
                        {"max_batch_tokens", context.options.queue.batch_tokens},
                        {"max_batch_requests", nullptr},
                        {"max_client_batch_size", context.options.inputs},
                        {"auto_truncate", context.options.auto_truncate},
                        {"tokenization_workers", 2},
                        {"padding", padding_name(model.config.padding)},
                        {"dimensions", model.vector_size()},
                        {"version", M2_VERSION}});
}

}  // namespace m2
