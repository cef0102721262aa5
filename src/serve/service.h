// The server's routes on top of HTTP: who may ask, what is asked for, and what is said of it in
// headers, metrics and the log.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "serve/api_keys.h"
#include "serve/engine.h"
#include "serve/fair_queue.h"
#include "serve/http/exchange.h"
#include "serve/http/server.h"
#include "serve/metrics.h"
#include "serve/options.h"
#include "serve/request_log.h"
#include "serve/served_model.h"
#include "serve/service_metrics.h"
#include "serve/task.h"
#include "serve/worker_pool.h"

namespace m2 {

struct Route;

class Service final : public HttpHandler {
 public:
  Service(ServedModels& models, const ServeOptions& options, RequestLog& log);
  // Ends jobs with JobEnd::kStopped.
  ~Service() override;

  // From here on metrics tell of the server too.
  void watch_server(const HttpServer& server);
  // From here on /ready says no, and new work is refused.
  void drain() { draining_ = true; }
  // Ends all jobs now, with an error.
  void stop() { engine_.stop(); }

  std::unique_ptr<HttpResponse> refuse(const HttpRequest& head) override;
  void handle(std::shared_ptr<HttpExchange> exchange) override;
  HttpResponse error_response(const HttpRequest& head, int status,
                              const std::string& message) override;
  void on_sent(const HttpRequest& request, const Sent& sent) override;

 private:
  struct Pending;
  std::unique_ptr<HttpResponse> check(const HttpRequest& head, const Route* route) const;
  HttpResponse answer_at_once(const HttpRequest& request);
  HttpResponse state_response(bool good) const;
  template <class Work>
  void guard(const std::shared_ptr<Pending>& pending, const Work& work);
  void prepare(const std::shared_ptr<Pending>& pending);
  void enqueue(const std::shared_ptr<Pending>& pending, Task task);
  void finish(const std::shared_ptr<Pending>& pending, const Job& job, JobEnd end);
  HttpResponse answer_of(const Pending& pending, const Job& job, JobEnd end) const;
  void respond(const Pending& pending, HttpResponse response);
  int64_t retry_after(const Job& job) const;
  void add_cors(const HttpRequest& request, HttpResponse& response) const;

  ServedModels& models_;
  const ServeOptions options_;
  const ApiKeys keys_;
  RequestLog& log_;
  std::atomic<bool> draining_ = false;
  ServiceMetrics metrics_;
  FairQueue queue_;
  Engine engine_;
  WorkerPool workers_;
};

}  // namespace m2
