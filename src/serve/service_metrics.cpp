#include "serve/service_metrics.h"

#include <unistd.h>

#include <fstream>

namespace m2 {
namespace {

constexpr char kLimitReached[] = "m2_limit_reached_total";
constexpr char kLimitReachedHelp[] = "Requests or connections that ran into a limit";

std::vector<double> token_bounds() {
  return {16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
}

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double seconds_of(std::chrono::milliseconds time) {
  return static_cast<double>(time.count()) / 1000;
}

}  // namespace

ServiceMetrics::ServiceMetrics(const ServeOptions& options) {
  const auto count = [](size_t value) { return static_cast<double>(value); };
  limit("header_bytes", count(options.http.header_bytes));
  limit("body_bytes", count(options.http.body_bytes));
  limit("held_bytes", count(options.http.held_bytes));
  limit("connections", count(options.http.connections));
  limit("header_seconds", seconds_of(options.http.header_time));
  limit("body_seconds", seconds_of(options.http.body_time));
  limit("inputs", count(options.inputs));
  limit("input_tokens", count(options.input_tokens));
  limit("request_tokens", count(options.request_tokens));
  limit("response_bytes", count(options.response_bytes));
  limit("queue_tokens", count(options.queue.tokens));
  limit("backlog_tokens", count(options.queue.backlog_tokens));
  limit("request_seconds", seconds_of(options.request_timeout));
  show_limit("write_seconds", seconds_of(options.http.write_time));  // counted by the connections
  metrics_.gauge("m2_resident_memory_bytes", "Memory of the process", resident_bytes);
}

void ServiceMetrics::show_limit(const std::string& name, double value) {
  metrics_.gauge(
      "m2_limit", "Limits as they are set; 0 for input_tokens is the model's length",
      [value] { return value; }, metric_label("limit", name));
}

void ServiceMetrics::limit(const std::string& name, double value) {
  show_limit(name, value);
  metrics_.counter(kLimitReached, kLimitReachedHelp, metric_label("limit", name));
}

void ServiceMetrics::limit_reached(const std::string& limit) {
  metrics_.counter(kLimitReached, kLimitReachedHelp, metric_label("limit", limit)).add();
}

void ServiceMetrics::watch(const ServedModels& models, const FairQueue& queue,
                           const Engine& engine) {
  metrics_.gauge("m2_queue_tokens", "Tokens that wait or are computed, pads included: of openings",
                 [&queue] { return static_cast<double>(queue.tokens().openings); });
  metrics_.gauge("m2_backlog_tokens", "The same of what large requests have beyond their openings",
                 [&queue] { return static_cast<double>(queue.tokens().rests); });
  metrics_.gauge("m2_queue_requests", "Requests that wait or are computed",
                 [&queue] { return static_cast<double>(queue.jobs()); });
  metrics_.gauge("m2_tokens_per_second", "Mean over the last half minute of computing",
                 [&engine] { return engine.rate().tokens_per_second(); });
  for (const auto& model : models.all()) {
    metrics_.gauge(
        "m2_model_ready", "1 once a model is loaded",
        [&one = *model] { return one.ready() ? 1.0 : 0.0; }, metric_label("model", model->name()));
  }
}

void ServiceMetrics::watch(const HttpServer& server) {
  metrics_.gauge("m2_connections", "Open connections",
                 [&server] { return static_cast<double>(server.counts().connections); });
  metrics_.gauge("m2_held_bytes", "Bodies of requests that are not answered yet",
                 [&server] { return static_cast<double>(server.counts().held_bytes); });
  metrics_.counted("m2_connections_total", "Connections accepted",
                   [&server] { return static_cast<double>(server.counts().accepted); });
  metrics_.counted("m2_connections_refused_total", "Connections beyond the limit",
                   [&server] { return static_cast<double>(server.counts().refused_connections); });
  metrics_.counted("m2_connection_timeouts_total", "Heads, bodies and answers that took too long",
                   [&server] { return static_cast<double>(server.counts().timeouts); });
  metrics_.counted(
      kLimitReached, kLimitReachedHelp,
      [&server] { return static_cast<double>(server.counts().write_timeouts); },
      metric_label("limit", "write_seconds"));
  metrics_.counted("m2_bad_requests_total", "What was no HTTP request, or broke a limit of one",
                   [&server] { return static_cast<double>(server.counts().bad_requests); });
}

void ServiceMetrics::batch(const Engine::Batch& batch) {
  metrics_.counter("m2_computed_texts_total", "Sequences computed").add(batch.texts);
  metrics_.counter("m2_computed_tokens_total", "Tokens computed, pads included").add(batch.tokens);
  metrics_.histogram("m2_batch_tokens", "Tokens computed together", token_bounds())
      .add(static_cast<double>(batch.tokens));
  metrics_.histogram("m2_batch_seconds", "Time of a batch", seconds_bounds()).add(batch.seconds);
}

void ServiceMetrics::sent(const HttpHandler::Sent& sent, const RequestNote& note) {
  const std::string route = metric_label("route", note.route);
  metrics_
      .counter("m2_requests_total", "Requests answered; 499: the client was gone",
               route + "," + metric_label("status", std::to_string(sent.status)))
      .add();
  metrics_
      .histogram("m2_request_seconds", "From a request's first byte to its answer's last",
                 seconds_bounds(), route)
      .add(sent.seconds);
  if (note.model.empty()) return;
  const std::string model = metric_label("model", note.model);
  metrics_.counter("m2_inputs_total", "Texts of requests answered", model).add(note.inputs);
  metrics_.counter("m2_input_tokens_total", "Their tokens, without pads", model)
      .add(static_cast<uint64_t>(note.tokens));
  metrics_
      .histogram("m2_queue_seconds", "From a request's end of tokenizing to its first batch",
                 seconds_bounds(), model)
      .add(note.queue_seconds);
}

}  // namespace m2
