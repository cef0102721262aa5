// Which function serves which method and path.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "serve/api_error.h"
#include "serve/task.h"

namespace m2 {

struct Route {
  enum class Kind : uint8_t {
    kWork,   // parses a body, may compute: on a worker
    kState,  // answered at once by the service itself
    kPage    // likewise; open to everyone, as is
  };
  const char* method;
  const char* path;
  Kind kind;
  bool open;  // to those without a key
  Prepared (*prepare)(const HttpRequest& request, const RouteContext& context);  // null for others
};

std::span<const Route> all_routes();
// Null where there is none. HEAD finds what GET does.
const Route* find_route(std::string_view method, std::string_view path);
// "GET, HEAD, POST, OPTIONS"; empty for a path that no route has.
std::string allowed_methods(std::string_view path);

}  // namespace m2
