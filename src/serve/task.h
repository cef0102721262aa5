// What a route makes of a request: a job, and how its results become the response.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "serve/http/message.h"
#include "serve/inputs.h"
#include "serve/job.h"
#include "serve/options.h"

namespace m2 {

// What a route can see of the server.
struct RouteContext {
  ServedModels& models;
  const ServeOptions& options;
};

// An account of a request, for its log line, its headers and the metrics.
struct RequestNote {
  const char* route = "";  // its pattern; empty where none is known
  std::string model;       // a served name
  size_t inputs = 0;
  int64_t tokens = 0, computed_tokens = 0, characters = 0;
  size_t truncated = 0;
  double tokenize_seconds = 0, queue_seconds = 0, compute_seconds = 0;
  std::string problem;  // the error's message
};

struct Task {
  std::shared_ptr<Job> job;
  Inputs inputs;                 // without its sequences, which the job has
  std::string param = "inputs";  // the field that the sequences come from, one each
  // Whether the answer has a place for the error of one text; otherwise it is the request's.
  bool takes_errors = false;
  // From the results, which are all there, without an error unless it takes them.
  std::function<HttpResponse(const Job& job, const Inputs& inputs)> answer;
};

using Prepared = std::variant<HttpResponse, Task>;

// The model that the field "model" names, the first one without it. ApiError(kNoSuchModel) that
// lists those there are, kLoading before it is ready.
class RequestJson;
ServedModel& wanted_model(const RequestJson& json, const RouteContext& context);

// The task of computing `inputs` with `pooling`.
Task make_task(ServedModel& model, Pooling pooling, Inputs inputs,
               std::function<HttpResponse(const Job&, const Inputs&)> answer);

// Vectors as they are returned: cut to `dimensions` where asked for (0: whole), then normalised.
struct VectorForm {
  bool normalise = false;
  size_t dimensions = 0;
};
// One result's rows, [rows][width]; the width afterwards is returned.
size_t shape_vectors(const VectorForm& form, size_t rows, std::vector<float>& values);

}  // namespace m2
