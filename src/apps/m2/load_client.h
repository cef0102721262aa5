// Puts a load on an HTTP server and times its answers: as many clients as are asked for, each with
// a request in hand all the time (closed loop), or requests at a rate whatever comes back (open
// loop).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace m2 {

struct LoadTarget {
  std::string host = "127.0.0.1";
  std::string port = "8080";
  std::string path = "/v1/embeddings";
  std::string api_key;
};

// "http://HOST[:PORT]", no path. Error(kUsage) for anything else.
LoadTarget parse_target(const std::string& url);

struct LoadPlan {
  std::vector<std::string> bodies;  // taken in turn, from the first one again behind the last
  size_t clients = 1;               // closed loop
  double rate = 0;                  // requests a second, evenly spaced: the open loop, if above 0
  double seconds = 10;              // in which requests are begun
};

struct LoadResult {
  std::map<int, size_t> statuses;  // answers of each status
  size_t broken = 0;               // connections refused, reset or closed before the answer
  std::vector<double> seconds;     // of each answer with status 200, from its request's begin
  double whole_seconds = 0;        // from the first request to the last answer
  size_t most_open = 0;            // requests without an answer at one time
};

// Returns when every request has its answer, or its end. `target` is resolved once.
// Error(kFailed) where not even one connection can be made.
LoadResult put_load(const LoadTarget& target, const LoadPlan& plan);

struct Fetched {
  int status = 0;
  std::string body;
};

// One request's answer. Error(kFailed) where there is none.
Fetched fetch(const LoadTarget& target, const std::string& method, const std::string& path,
              const std::string& body);

}  // namespace m2
