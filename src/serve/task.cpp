#include "serve/task.h"

#include <utility>

#include "core/text.h"
#include "models/heads.h"
#include "serve/api_error.h"
#include "serve/request_json.h"
#include "serve/served_model.h"

namespace m2 {

ServedModel& wanted_model(const RequestJson& json, const RouteContext& context) {
  const auto name = json.optional_text("model");
  ServedModel* model = name ? context.models.find(*name) : &context.models.first();
  if (model == nullptr) {
    std::vector<std::string> names;
    for (const auto& one : context.models.all()) names.push_back(one->name());
    throw ApiError(
        ApiProblem::kNoSuchModel,
        concat("no model is called \"", printable(*name), "\" here; there is ", join(names, ", ")),
        "model");
  }
  if (!model->ready()) {
    throw ApiError(ApiProblem::kLoading, concat("the model ", model->name(), " is being loaded"))
        .with_retry_after(1);
  }
  return *model;
}

Task make_task(ServedModel& model, Pooling pooling, Inputs inputs,
               std::function<HttpResponse(const Job&, const Inputs&)> answer) {
  Task task;
  task.job = std::make_shared<Job>();
  task.job->model = &model;
  task.job->pooling = pooling;
  for (const TokenSequence& sequence : inputs.sequences) {
    task.job->length_classes.push_back(model.length_class(sequence.ids.size()));
  }
  task.job->sequences = std::move(inputs.sequences);
  task.inputs = std::move(inputs);
  task.answer = std::move(answer);
  return task;
}

size_t shape_vectors(const VectorForm& form, size_t rows, std::vector<float>& values) {
  const size_t width = values.size() / rows;
  const size_t kept = form.dimensions > 0 ? form.dimensions : width;
  for (size_t row = 0; kept < width && row < rows; ++row) {
    const float* from = values.data() + row * width;
    std::copy(from, from + kept, values.data() + row * kept);
  }
  values.resize(rows * kept);
  for (size_t row = 0; form.normalise && row < rows; ++row) {
    normalise(std::span(values).subspan(row * kept, kept));
  }
  return kept;
}

}  // namespace m2
