#include "serve/service.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <mutex>
#include <new>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "serve/api_error.h"
#include "serve/pages.h"
#include "serve/route_table.h"

namespace m2 {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr int64_t kLongestWait = 3600;  // seconds, of Retry-After

double seconds_between(ServeClock::time_point begin, ServeClock::time_point end) {
  return std::max(0.0, Seconds(end - begin).count());
}

std::string milliseconds(double seconds) {
  return std::to_string(std::llround(seconds * 1000));
}

// What is known of a request so far. Its client may leave at any time, and then the log asks, while
// a worker goes on: so it is written and read as a whole.
struct PublishedNote {
  std::mutex mutex;
  RequestNote note;
};

void publish(const RequestNote& note, const HttpRequest& request) {
  auto& published = *static_cast<PublishedNote*>(request.note.get());
  const std::lock_guard lock(published.mutex);
  published.note = note;
}

RequestNote published_note(const HttpRequest& request) {
  if (!request.note) return {};
  auto& published = *static_cast<PublishedNote*>(request.note.get());
  const std::lock_guard lock(published.mutex);
  return published.note;
}

// x-request-timeout, in seconds: a client may shorten the server's own.
ServeClock::time_point deadline_of(const HttpRequest& request,
                                   std::chrono::milliseconds server_timeout) {
  Seconds timeout = server_timeout;
  if (const std::string_view given = header_value(request.headers, "x-request-timeout");
      !given.empty()) {
    char* end = nullptr;
    const std::string text(given);
    const double seconds = std::strtod(text.c_str(), &end);
    if (end != text.c_str() + text.size() || !(seconds > 0)) {
      throw ApiError(ApiProblem::kBadRequest,
                     "the header x-request-timeout must be a number of seconds above 0");
    }
    timeout = std::min(timeout, Seconds(seconds));
  }
  return request.begun + std::chrono::duration_cast<ServeClock::duration>(timeout);
}

// As text-embeddings-inference names them; times in milliseconds.
void add_timing(const RequestNote& note, double total, HttpResponse& response) {
  const auto add = [&](const char* name, const std::string& value) {
    response.headers.emplace_back(name, value);
  };
  add("x-compute-type", "cpu");
  add("x-compute-time", milliseconds(note.tokenize_seconds + note.compute_seconds));
  add("x-compute-characters", std::to_string(note.characters));
  add("x-compute-tokens", std::to_string(note.computed_tokens));
  add("x-total-time", milliseconds(total));
  add("x-tokenization-time", milliseconds(note.tokenize_seconds));
  add("x-queue-time", milliseconds(note.queue_seconds));
  add("x-inference-time", milliseconds(note.compute_seconds));
  if (note.truncated > 0) add("x-truncated-inputs", std::to_string(note.truncated));
}

}  // namespace

// A request on its way through the workers and the engine.
struct Service::Pending {
  std::shared_ptr<HttpExchange> exchange;
  const Route& route;
  RequestNote note;  // of the one who works on it
  Task task{};

  const HttpRequest& request() const { return exchange->request(); }
  ApiFamily family() const { return family_of_path(request().path); }
};

Service::Service(ServedModels& models, const ServeOptions& options, RequestLog& log)
    : models_(models),
      options_(options),
      keys_(options.api_keys),
      log_(log),
      metrics_(options_),
      queue_(options.queue),
      engine_(queue_, [this](const Engine::Batch& batch) { metrics_.batch(batch); }) {
  metrics_.watch(models_, queue_, engine_);
  engine_.start();
}

Service::~Service() {
  engine_.stop();
}

void Service::watch_server(const HttpServer& server) {
  metrics_.watch(server);
}

std::unique_ptr<HttpResponse> Service::check(const HttpRequest& head, const Route* route) const {
  const ApiFamily family = family_of_path(head.path);
  const auto refusal = [&](const ApiError& error) {
    return std::make_unique<HttpResponse>(m2::error_response(family, error));
  };
  if (route == nullptr) {
    const std::string methods = allowed_methods(head.path);
    if (methods.empty()) {
      return refusal({ApiProblem::kNoSuchRoute, concat("there is nothing at ", printable(head.path),
                                                       "; /openapi.json lists the routes")});
    }
    auto response = refusal({ApiProblem::kMethod, concat(printable(head.path), " takes ", methods,
                                                         ", not ", printable(head.method))});
    response->headers.emplace_back("Allow", methods);
    return response;
  }
  if (!route->open && !keys_.accept(header_value(head.headers, "authorization"))) {
    return refusal({ApiProblem::kUnauthorised,
                    "this server asks for a key: send the header Authorization: Bearer KEY"});
  }
  if (draining_ && route->kind == Route::Kind::kWork) {
    return refusal(
        ApiError(ApiProblem::kLoading, "the server is shutting down").with_retry_after(1));
  }
  return nullptr;
}

std::unique_ptr<HttpResponse> Service::refuse(const HttpRequest& head) {
  head.note = std::make_shared<PublishedNote>();
  RequestNote note;
  const bool preflight = head.method == "OPTIONS" && !allowed_methods(head.path).empty() &&
                         !header_value(head.headers, "access-control-request-method").empty();
  if (preflight) {
    auto response = std::make_unique<HttpResponse>();
    response->status = 204;
    response->headers.emplace_back("Allow", allowed_methods(head.path));
    add_cors(head, *response);
    return response;
  }
  const Route* route = find_route(head.method, head.path);
  if (route != nullptr) note.route = route->path;
  auto refusal = check(head, route);
  if (refusal) {
    note.problem = concat("refused with status ", refusal->status);
    add_cors(head, *refusal);
  }
  publish(note, head);
  return refusal;
}

void Service::handle(std::shared_ptr<HttpExchange> exchange) {
  const HttpRequest& request = exchange->request();
  const Route* route = find_route(request.method, request.path);
  M2_CHECK(route != nullptr);
  if (route->kind != Route::Kind::kWork) {
    HttpResponse response = answer_at_once(request);
    add_cors(request, response);
    exchange->respond(std::move(response));
    return;
  }
  const auto pending =
      std::make_shared<Pending>(Pending{exchange, *route, published_note(request)});
  workers_.post(request.body.size(), [this, pending] { prepare(pending); });
}

HttpResponse Service::answer_at_once(const HttpRequest& request) {
  if (request.path == "/health") return state_response(true);
  if (request.path == "/ready") return state_response(models_.ready() && !draining_);
  HttpResponse response;
  if (request.path == "/metrics") {
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = metrics_.text();
    return response;
  }
  return request.path == "/" ? front_page() : openapi_document();
}

HttpResponse Service::state_response(bool good) const {
  HttpResponse response;
  response.status = good ? 200 : 503;
  const char* state = draining_ ? "draining" : models_.ready() ? "ready" : "loading";
  response.body = concat(R"({"status":")", state, "\"}");
  if (!good) response.headers.emplace_back("Retry-After", "1");
  return response;
}

// What `work` throws becomes the response.
template <class Work>
void Service::guard(const std::shared_ptr<Pending>& pending, const Work& work) {
  const auto fail = [&](const ApiError& error) {
    pending->note.problem = error.what();
    if (!error.limit().empty()) metrics_.limit_reached(error.limit());
    respond(*pending, m2::error_response(pending->family(), error));
  };
  try {
    work();
  } catch (const ApiError& error) {
    fail(error);
  } catch (const std::bad_alloc&) {
    fail(ApiError(ApiProblem::kOverloaded, "the server has not enough memory now")
             .with_retry_after(1));
  } catch (const std::exception& error) {
    fail(ApiError(ApiProblem::kFailed, error.what()));
  }
}

void Service::prepare(const std::shared_ptr<Pending>& pending) {
  guard(pending, [&] {
    const HttpRequest& request = pending->request();
    const auto begun = ServeClock::now();
    const auto deadline = deadline_of(request, options_.request_timeout);
    Prepared prepared = pending->route.prepare(request, {models_, options_});
    pending->note.tokenize_seconds = seconds_between(begun, ServeClock::now());
    if (auto* response = std::get_if<HttpResponse>(&prepared)) {
      return respond(*pending, std::move(*response));
    }
    Task task = std::get<Task>(std::move(prepared));
    task.job->deadline = deadline;
    enqueue(pending, std::move(task));
  });
}

void Service::enqueue(const std::shared_ptr<Pending>& pending, Task task) {
  RequestNote& note = pending->note;
  const std::shared_ptr<Job> job = task.job;
  note.model = job->model->name();
  note.inputs = job->sequences.size();
  note.tokens = task.inputs.tokens;
  note.computed_tokens = task.inputs.computed_tokens;
  note.characters = task.inputs.characters;
  note.truncated = task.inputs.truncated;
  pending->task = std::move(task);
  pending->task.job.reset();  // the job holds this pending request, not the other way round
  job->gone = [exchange = pending->exchange] { return exchange->gone(); };
  job->finished = [this, pending](const std::shared_ptr<Job>& ended, JobEnd end) {
    workers_.post(0, [this, pending, ended, end] { finish(pending, *ended, end); });
  };
  const size_t task_tokens = static_cast<size_t>(note.computed_tokens);
  publish(note, pending->request());
  switch (queue_.add(job)) {
    case Admission::kTaken:
      return;
    case Admission::kTooLarge:
      throw ApiError(ApiProblem::kTooManyInputs,
                     concat("the request has ", task_tokens, " tokens, pads included, more than ",
                            "this server's queue ever holds; send fewer inputs at once"))
          .at_limit("request_tokens");
    case Admission::kFull:
      throw ApiError(ApiProblem::kOverloaded, "the queue is full; try again later")
          .with_retry_after(retry_after(*job))
          .at_limit("queue_tokens");
    case Admission::kBacklogFull:
      throw ApiError(
          ApiProblem::kOverloaded,
          "too much of other large requests waits; try again later, or send less at once")
          .with_retry_after(retry_after(*job))
          .at_limit("backlog_tokens");
    case Admission::kClosed:
      throw ApiError(ApiProblem::kLoading, "the server is shutting down").with_retry_after(1);
  }
}

// Until the job has room, at the rate at which tokens are computed now: openings at the whole rate,
// rests at half of it.
int64_t Service::retry_after(const Job& job) const {
  const double rate = engine_.rate().tokens_per_second();
  if (!(rate > 0)) return 1;
  const auto excess = [](size_t held, size_t more, size_t limit) {
    return std::max(
        0.0, static_cast<double>(held) + static_cast<double>(more) - static_cast<double>(limit));
  };
  const QueueTokens held = queue_.tokens();
  const double openings = excess(held.openings, job.opening_tokens, options_.queue.tokens);
  const double rests = excess(held.rests, job.rest_tokens, options_.queue.backlog_tokens);
  const double seconds = std::max(openings, 2 * rests) / rate;
  return std::clamp(static_cast<int64_t>(std::ceil(seconds)), int64_t{1}, kLongestWait);
}

void Service::finish(const std::shared_ptr<Pending>& pending, const Job& job, JobEnd end) {
  RequestNote& note = pending->note;
  const auto now = ServeClock::now();
  const bool begun = job.started != ServeClock::time_point{};
  note.queue_seconds = seconds_between(job.queued, begun ? job.started : now);
  note.compute_seconds = begun ? seconds_between(job.started, now) : 0;
  guard(pending, [&] { respond(*pending, answer_of(*pending, job, end)); });
}

HttpResponse Service::answer_of(const Pending& pending, const Job& job, JobEnd end) const {
  switch (end) {
    case JobEnd::kGone:
      return {};  // no one reads it
    case JobEnd::kTimeout:
      throw ApiError(ApiProblem::kTimeout, "the request was not done in its time")
          .at_limit("request_seconds");
    case JobEnd::kStopped:
      throw ApiError(ApiProblem::kLoading, "the server is shutting down").with_retry_after(1);
    case JobEnd::kDone:
      break;
  }
  for (size_t i = 0; !pending.task.takes_errors && i < job.results.size(); ++i) {
    if (job.results[i].error.empty()) continue;
    throw ApiError(ApiProblem::kFailed, job.results[i].error,
                   concat(pending.task.param, "[", i, "]"));
  }
  return pending.task.answer(job, pending.task.inputs);
}

void Service::respond(const Pending& pending, HttpResponse response) {
  const HttpRequest& request = pending.request();
  const RequestNote& note = pending.note;
  publish(note, request);
  if (!note.model.empty() && response.status == 200) {
    add_timing(note, seconds_between(request.begun, ServeClock::now()), response);
  }
  if (const std::string_view parent = header_value(request.headers, "traceparent");
      !trace_id(parent).empty()) {
    response.headers.emplace_back("traceparent", parent);
  }
  add_cors(request, response);
  pending.exchange->respond(std::move(response));
}

void Service::add_cors(const HttpRequest& request, HttpResponse& response) const {
  const std::string_view origin = header_value(request.headers, "origin");
  const auto& named = options_.cors_origins;
  if (origin.empty() || named.empty()) return;
  const bool any = std::find(named.begin(), named.end(), "*") != named.end();
  if (!any && std::find(named.begin(), named.end(), origin) == named.end()) return;
  const auto add = [&](const char* name, std::string_view value) {
    response.headers.emplace_back(name, value);
  };
  add("Access-Control-Allow-Origin", any ? "*" : origin);
  if (!any) add("Vary", "Origin");
  add("Access-Control-Expose-Headers", "x-request-id, x-truncated-inputs, Retry-After");
  if (request.method != "OPTIONS") return;
  add("Access-Control-Allow-Methods", allowed_methods(request.path));
  add("Access-Control-Allow-Headers",
      "authorization, content-type, x-request-id, x-request-timeout, traceparent");
  add("Access-Control-Max-Age", "600");
}

HttpResponse Service::error_response(const HttpRequest& head, int status,
                                     const std::string& message) {
  // A request whose head was not read has no method.
  if (status == 408) {
    metrics_.limit_reached(head.method.empty() ? "header_seconds" : "body_seconds");
  }
  if (status == 413) metrics_.limit_reached("body_bytes");
  if (status == 431) metrics_.limit_reached("header_bytes");
  if (status == 429) metrics_.limit_reached("held_bytes");
  if (status == 503) metrics_.limit_reached("connections");
  HttpResponse response = m2::error_response(family_of_path(head.path), status, message);
  if (status == 429 || status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

void Service::on_sent(const HttpRequest& request, const Sent& sent) {
  const RequestNote note = published_note(request);
  metrics_.sent(sent, note);
  log_.request(request, sent, note);
}

}  // namespace m2
