#include <numeric>
#include <string>
#include <utility>

#include "embedding/vector_text.h"
#include "serve/request_json.h"
#include "serve/routes/routes.h"
#include "serve/routes/vector_request.h"

namespace m2 {
namespace {

std::vector<float> direction(const JobResult& result) {
  std::vector<float> values = result.values;
  shape_vectors({true, 0}, result.rows, values);
  return values;
}

HttpResponse answer(const Job& job) {
  const std::vector<float> source = direction(job.results.front());
  std::vector<float> cosines;
  for (size_t i = 1; i < job.results.size(); ++i) {
    const std::vector<float> other = direction(job.results[i]);
    const double dot = std::inner_product(source.begin(), source.end(), other.begin(), 0.0);
    cosines.push_back(static_cast<float>(dot));
  }
  HttpResponse response;
  response.body = "[";
  append_numbers(response.body, cosines, ",");
  response.body += ']';
  return response;
}

}  // namespace

Prepared similarity(const RequestJson& json, const RouteContext& context) {
  ServedModel& model = wanted_model(json, context);
  json.required("inputs");
  const RequestJson inputs(json, "inputs"), parameters(json, "parameters");
  const nlohmann::json& sentences = inputs.required("sentences");
  if (!sentences.is_array()) {
    throw ApiError(ApiProblem::kBadRequest, "must be a list of strings", "inputs.sentences");
  }
  InputReader reader(model, context.options, inference_options(parameters, context, model.model()));
  reader.add_texts(inputs.text("source_sentence"), "inputs.source_sentence");
  reader.add_texts(sentences, "inputs.sentences");
  const Pooling own = request_of(model.model(), std::nullopt, std::nullopt).pooling;
  return make_task(model, own, reader.take(),
                   [](const Job& job, const Inputs&) { return answer(job); });
}

Prepared similarity_route(const HttpRequest& request, const RouteContext& context) {
  return similarity(RequestJson(request, values_limit(context)), context);
}

}  // namespace m2
