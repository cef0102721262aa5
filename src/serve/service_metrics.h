// The metrics of a server: what is counted, and under which names. docs/serving.md lists them.
#pragma once

#include <string>

#include "serve/engine.h"
#include "serve/http/exchange.h"
#include "serve/http/server.h"
#include "serve/metrics.h"
#include "serve/options.h"
#include "serve/served_model.h"
#include "serve/task.h"

namespace m2 {

class ServiceMetrics {
 public:
  explicit ServiceMetrics(const ServeOptions& options);

  // Numbers that are read when the metrics are: those must live as long as this.
  void watch(const ServedModels& models, const FairQueue& queue, const Engine& engine);
  void watch(const HttpServer& server);

  void batch(const Engine::Batch& batch);
  void sent(const HttpHandler::Sent& sent, const RequestNote& note);
  // A request ran into a limit: one of the names that m2_limit lists.
  void limit_reached(const std::string& limit);

  std::string text() const { return metrics_.text(); }

 private:
  void show_limit(const std::string& name, double value);
  void limit(const std::string& name, double value);

  Metrics metrics_;
};

}  // namespace m2
