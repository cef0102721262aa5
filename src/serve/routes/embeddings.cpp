#include <string>
#include <utility>

#include "core/text.h"
#include "embedding/vector_text.h"
#include "serve/base64.h"
#include "serve/request_json.h"
#include "serve/routes/routes.h"
#include "serve/routes/vector_request.h"

namespace m2 {
namespace {

using Json = nlohmann::ordered_json;

void append_vector(std::string& out, const JobResult& result, const VectorForm& form, bool base64) {
  std::vector<float> values = result.values;
  shape_vectors(form, result.rows, values);
  if (base64) {
    out += '"' + base64_of_floats(values) + '"';
    return;
  }
  out += '[';
  append_numbers(out, values, ",");
  out += ']';
}

Json usage_of(const Inputs& inputs) {
  Json usage = {{"prompt_tokens", inputs.tokens}, {"total_tokens", inputs.tokens}};
  if (inputs.truncated > 0) {
    usage["truncated_inputs"] = inputs.truncated;
    usage["truncated_tokens"] = inputs.truncated_tokens;
  }
  return usage;
}

std::string quoted(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// A text that failed has its own error in its vector's place.
std::string data_of(const Job& job, const VectorForm& form, bool base64) {
  std::string data = "[";
  for (size_t i = 0; i < job.results.size(); ++i) {
    const JobResult& result = job.results[i];
    if (i > 0) data += ',';
    if (!result.error.empty()) {
      data += concat(R"({"object":"error","index":)", i, R"(,"error":{"message":)",
                     quoted(result.error), R"(,"type":"server_error","param":"input[)", i,
                     R"(]","code":"computation_failed"}})");
      continue;
    }
    data += concat(R"({"object":"embedding","index":)", i, R"(,"embedding":)");
    append_vector(data, result, form, base64);
    data += '}';
  }
  return data + ']';
}

}  // namespace

Prepared embeddings_route(const HttpRequest& request, const RouteContext& context) {
  const RequestJson json(request, values_limit(context));
  ServedModel& model = wanted_model(json, context);
  const nlohmann::json& input = json.required("input");
  const auto format = json.word("encoding_format", {"float", "base64"});
  json.optional_text("user");
  const Model& loaded = model.model();
  const auto width = static_cast<int64_t>(loaded.vector_size());
  const auto dimensions = json.integer("dimensions", 1, width);
  InputOptions options;
  options.truncate = json.flag("truncate").value_or(context.options.auto_truncate);
  options.prompt = served_prompt(loaded, {});
  const bool own_errors = json.flag("per_input_errors").value_or(false);
  InputReader reader(model, context.options, options);
  reader.add_texts_or_ids(input, "input");

  VectorForm form;
  form.dimensions = static_cast<size_t>(dimensions.value_or(0));
  const VectorRequest own = request_of(loaded, std::nullopt, std::nullopt);
  form.normalise = own.normalise || dimensions.has_value();
  const bool base64 = format == "base64";
  check_response_size(reader.inputs(), context, loaded.vector_size(), false);
  Task task = make_task(model, own.pooling, reader.take(),
                        [form, base64, name = json.optional_text("model").value_or(model.name())](
                            const Job& job, const Inputs& inputs) {
                          HttpResponse response;
                          response.body =
                              concat(R"({"object":"list","data":)", data_of(job, form, base64),
                                     R"(,"model":)", quoted(name), R"(,"usage":)",
                                     usage_of(inputs).dump(), "}");
                          return response;
                        });
  task.param = "input";
  task.takes_errors = own_errors;
  return task;
}

}  // namespace m2
