#include "serve/http/request_rules.h"

#include <algorithm>
#include <vector>

namespace m2 {
namespace {

constexpr size_t kMaxTargetBytes = 8192;
constexpr size_t kMaxHeaders = 128;
constexpr size_t kMaxLengthDigits = 18;  // fits 64 bits

std::vector<std::string_view> values_of(const HttpHeaders& headers, std::string_view name) {
  std::vector<std::string_view> values;
  for (const auto& [own, value] : headers) {
    if (same_token(own, name)) values.push_back(value);
  }
  return values;
}

bool is_length(std::string_view value) {
  return !value.empty() && value.size() <= kMaxLengthDigits &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_host(std::string_view value) {
  return value.find_first_of(" \t,/\\@?#\"<>") == value.npos;
}

// "http://" or "https://" at the front, whatever its case: its length, else 0.
size_t scheme_size(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (same_token(target.substr(0, scheme.size()), scheme)) return scheme.size();
  }
  return 0;
}

}  // namespace

RequestFault framing_fault(const HttpHeaders& headers, bool http_1_1) {
  if (headers.size() > kMaxHeaders) {
    return {431, "the request has more than " + std::to_string(kMaxHeaders) + " headers"};
  }
  const auto hosts = values_of(headers, "Host");
  if (hosts.size() > 1 || (http_1_1 && hosts.empty())) {
    return {400, "a request of HTTP/1.1 has one Host header"};
  }
  if (!hosts.empty() && !is_host(hosts[0])) return {400, "the Host header names no host"};

  const auto lengths = values_of(headers, "Content-Length");
  const auto codings = values_of(headers, "Transfer-Encoding");
  if (lengths.size() > 1) return {400, "the request has more than one Content-Length"};
  if (!lengths.empty() && !is_length(lengths[0])) {
    return {400, "Content-Length is not a plain decimal number"};
  }
  if (codings.empty()) return {};
  if (!lengths.empty()) return {400, "the request has both Content-Length and Transfer-Encoding"};
  if (!http_1_1) return {400, "HTTP/1.0 has no Transfer-Encoding"};
  if (codings.size() > 1 || !same_token(codings[0], "chunked")) {
    return {501, "the only Transfer-Encoding that this server reads is chunked"};
  }
  return {};
}

RequestFault split_target(std::string_view target, HttpRequest& request) {
  if (target.size() > kMaxTargetBytes) {
    return {414,
            "the request's target is longer than " + std::to_string(kMaxTargetBytes) + " bytes"};
  }
  const auto is_plain = [](char c) { return c > 0x20 && c < 0x7F && c != '#'; };
  if (!std::all_of(target.begin(), target.end(), is_plain)) {
    return {400, "the request's target has characters that must be percent-encoded"};
  }
  if (const size_t scheme = scheme_size(target)) {
    const size_t authority_end = target.find_first_of("/?", scheme);
    if (authority_end == scheme || !is_host(target.substr(scheme, authority_end - scheme))) {
      return {400, "the request's target names no host"};
    }
    target = authority_end == target.npos ? std::string_view{} : target.substr(authority_end);
    if (!target.starts_with('/')) request.path = "/";
  } else if (!target.starts_with('/') && target != "*") {
    return {400, "the request's target does not begin with a slash"};
  }
  const size_t question = std::min(target.find('?'), target.size());
  request.path += target.substr(0, question);
  request.query = target.substr(std::min(question + 1, target.size()));
  return {};
}

RequestFault body_fault(const HttpHeaders& headers, uint64_t announced, size_t body_bytes) {
  for (const std::string_view value : values_of(headers, "Expect")) {
    if (!same_token(value, "100-continue")) {
      return {417, "the only expectation that this server meets is 100-continue"};
    }
  }
  for (const std::string_view value : values_of(headers, "Content-Encoding")) {
    if (!same_token(value, "identity")) {
      return {415, "this server reads no Content-Encoding: send the body as it is"};
    }
  }
  if (announced > body_bytes) {
    return {413, "the request's body has " + std::to_string(announced) +
                     " bytes, this server reads " + std::to_string(body_bytes)};
  }
  return {};
}

}  // namespace m2
