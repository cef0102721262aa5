#include "serve/route_table.h"

#include <array>

#include "serve/routes/routes.h"

namespace m2 {
namespace {

using enum Route::Kind;

constexpr std::array<Route, 16> kRoutes = {{
    {"GET", "/", kPage, true, nullptr},
    {"POST", "/", kWork, false, root_route},
    {"GET", "/openapi.json", kPage, false, nullptr},
    {"GET", "/health", kState, true, nullptr},
    {"GET", "/ready", kState, true, nullptr},
    {"GET", "/metrics", kState, false, nullptr},
    {"POST", "/v1/embeddings", kWork, false, embeddings_route},
    {"POST", "/api/v1/embeddings", kWork, false, embeddings_route},
    {"GET", "/v1/models", kWork, false, models_route},
    {"GET", "/api/v1/models", kWork, false, models_route},
    {"GET", "/info", kWork, false, info_route},
    {"POST", "/embed", kWork, false, embed_route},
    {"POST", "/embed_all", kWork, false, embed_all_route},
    {"POST", "/similarity", kWork, false, similarity_route},
    {"POST", "/rerank", kWork, false, rerank_route},
    {"POST", "/tokenize", kWork, false, tokenize_route},
}};

}  // namespace

std::span<const Route> all_routes() {
  return kRoutes;
}

const Route* find_route(std::string_view method, std::string_view path) {
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const Route& route : kRoutes) {
    if (wanted == route.method && path == route.path) return &route;
  }
  return nullptr;
}

std::string allowed_methods(std::string_view path) {
  std::string methods;
  for (const Route& route : kRoutes) {
    if (path != route.path) continue;
    if (!methods.empty()) methods += ", ";
    methods += route.method;
    if (std::string_view(route.method) == "GET") methods += ", HEAD";
  }
  return methods;
}

}  // namespace m2
