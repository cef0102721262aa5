#include <string>
#include <utility>

#include "core/text.h"
#include "embedding/vector_text.h"
#include "serve/request_json.h"
#include "serve/routes/routes.h"
#include "serve/routes/vector_request.h"

namespace m2 {
namespace {

void append_rows(std::string& out, const JobResult& result, const VectorForm& form,
                 bool every_token) {
  std::vector<float> values = result.values;
  const size_t width = shape_vectors(form, result.rows, values);
  if (every_token) out += '[';
  for (size_t row = 0; row < result.rows; ++row) {
    out += row == 0 ? "[" : ",[";
    append_numbers(out, std::span(values).subspan(row * width, width), ",");
    out += ']';
  }
  if (every_token) out += ']';
}

HttpResponse answer(const Job& job, const VectorForm& form, bool every_token) {
  HttpResponse response;
  response.body = "[";
  for (size_t i = 0; i < job.results.size(); ++i) {
    if (i > 0) response.body += ',';
    append_rows(response.body, job.results[i], form, every_token);
  }
  response.body += ']';
  return response;
}

Prepared vectors(const RequestJson& json, const RouteContext& context, bool every_token) {
  ServedModel& model = wanted_model(json, context);
  const Model& loaded = model.model();
  const InputOptions options = inference_options(json, context, loaded);
  const size_t width =
      every_token ? static_cast<size_t>(loaded.config.hidden_size) : loaded.vector_size();
  VectorForm form;
  form.normalise = json.flag("normalize").value_or(!every_token);
  form.dimensions =
      static_cast<size_t>(json.integer("dimensions", 1, static_cast<int64_t>(width)).value_or(0));
  InputReader reader(model, context.options, options);
  reader.add_texts(json.required("inputs"), "inputs");
  check_response_size(reader.inputs(), context, width, every_token);
  const Pooling own = request_of(loaded, std::nullopt, std::nullopt).pooling;
  return make_task(model, every_token ? Pooling::kNone : own, reader.take(),
                   [form, every_token](const Job& job, const Inputs&) {
                     return answer(job, form, every_token);
                   });
}

}  // namespace

Prepared embed_route(const HttpRequest& request, const RouteContext& context) {
  return vectors(RequestJson(request, values_limit(context)), context, false);
}

Prepared embed_all_route(const HttpRequest& request, const RouteContext& context) {
  return vectors(RequestJson(request, values_limit(context)), context, true);
}

Prepared root_route(const HttpRequest& request, const RouteContext& context) {
  const RequestJson json(request, values_limit(context));
  if (json.required("inputs").is_object()) return similarity(json, context);
  return vectors(json, context, false);
}

}  // namespace m2
