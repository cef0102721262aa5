// What a server is told when it starts, beside its models and its address.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "serve/fair_queue.h"
#include "serve/http/server.h"

namespace m2 {

struct ServeOptions {
  HttpLimits http;
  QueueLimits queue;
  size_t inputs = 2048;                     // texts of a request
  size_t input_tokens = 0;                  // of a text; 0: as the model takes
  size_t request_tokens = size_t{1} << 20;  // of a request, pads included
  size_t response_bytes = size_t{256} << 20;
  std::chrono::milliseconds request_timeout{600000};  // from a request's first byte
  bool auto_truncate = false;                         // cut long texts where a request does not say
  bool allow_bare_ids = false;            // take token ids without special tokens around
  std::vector<std::string> api_keys;      // without any, everyone is served
  std::vector<std::string> cors_origins;  // "https://example.org", or "*"
};

}  // namespace m2
