// The exchange that a connection hands to the handler.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "serve/http/byte_budget.h"
#include "serve/http/exchange.h"

namespace m2 {

class PendingExchange final : public HttpExchange {
 public:
  // Called once at most, from any thread; with null when there will be no response.
  using Deliver = std::function<void(std::shared_ptr<HttpResponse> response)>;

  PendingExchange(HttpRequest request, BudgetShare share, Deliver deliver)
      : share_(std::move(share)), deliver_(std::move(deliver)) {
    request_ = std::move(request);
  }

  void respond(HttpResponse response) override {
    settle(std::make_shared<HttpResponse>(std::move(response)));
  }
  void give_up() { settle(nullptr); }
  void client_left() { gone_.store(true, std::memory_order_relaxed); }

  // What the handler gets: when its last copy goes, so does the chance of a response.
  static std::shared_ptr<HttpExchange> handle_of(std::shared_ptr<PendingExchange> exchange) {
    HttpExchange* const plain = exchange.get();
    return {plain, [held = std::move(exchange)](HttpExchange*) mutable {
              held->give_up();
              held.reset();  // not with the last weak pointer
            }};
  }

 private:
  void settle(std::shared_ptr<HttpResponse> response) {
    if (!gone() && !settled_.exchange(true)) deliver_(std::move(response));
  }

  BudgetShare share_;  // of the request's body
  Deliver deliver_;
  std::atomic<bool> settled_ = false;
};

}  // namespace m2
