#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "core/text.h"
#include "embedding/vector_text.h"
#include "serve/request_json.h"
#include "serve/routes/routes.h"
#include "serve/routes/vector_request.h"

namespace m2 {
namespace {

struct Wanted {
  bool raw_scores = false;
  std::vector<std::string> texts;  // empty: not to be returned
};

float sigmoid(float logit) {
  return static_cast<float>(1 / (1 + std::exp(-static_cast<double>(logit))));
}

HttpResponse answer(const Job& job, const Classifier& classifier, const Wanted& wanted) {
  std::vector<float> scores;
  for (const JobResult& result : job.results) {
    float logit = 0;
    classifier.apply(result.values, {&logit, 1});
    scores.push_back(wanted.raw_scores ? logit : sigmoid(logit));
  }
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  HttpResponse response;
  response.body = "[";
  for (const size_t index : order) {
    if (response.body.size() > 1) response.body += ',';
    response.body += concat("{\"index\":", index, ",\"score\":");
    append_numbers(response.body, {&scores[index], 1}, "");
    if (!wanted.texts.empty()) {
      response.body += ",\"text\":" + nlohmann::json(wanted.texts[index]).dump();
    }
    response.body += '}';
  }
  response.body += ']';
  return response;
}

}  // namespace

Prepared rerank_route(const HttpRequest& request, const RouteContext& context) {
  const RequestJson json(request, values_limit(context));
  ServedModel& model = wanted_model(json, context);
  const Model& loaded = model.model();
  if (!loaded.classifier || loaded.classifier->labels() != 1 || !loaded.pooler) {
    throw ApiError(ApiProblem::kUnsupported,
                   concat(model.name(), " is no re-ranker: it needs a pooler and a classification ",
                          "head with one label; use /embed or /similarity"));
  }
  const std::string query = json.text("query");
  const nlohmann::json& texts = json.required("texts");
  if (!texts.is_array()) {
    throw ApiError(ApiProblem::kBadRequest, "must be a list of strings", "texts");
  }
  check_count(texts.size(), context.options, "texts");
  Wanted wanted;
  wanted.raw_scores = json.flag("raw_scores").value_or(false);
  const bool with_text = json.flag("return_text").value_or(false);
  InputReader reader(model, context.options, truncation_options(json, context));
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string param = concat("texts[", i, "]");
    const std::string& text = string_of(texts[i], param);
    reader.add_pair(query, text, param);
    if (with_text) wanted.texts.push_back(text);
  }
  return make_task(model, Pooling::kPooler, reader.take(),
                   [&loaded, wanted](const Job& job, const Inputs&) {
                     return answer(job, *loaded.classifier, wanted);
                   });
}

}  // namespace m2
