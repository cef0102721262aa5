#include "hub/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "core/log.h"
#include "core/text.h"

namespace m2 {
namespace {

using std::chrono::milliseconds;

constexpr int kMaxRedirects = 5;
constexpr int kMaxTries = 5;
constexpr milliseconds kFirstDelay{500};
constexpr milliseconds kLongestDelay{60'000};  // of a server's Retry-After
constexpr uint64_t kProgressBytes = 1 << 20;   // after which failures are counted anew
constexpr size_t kMaxFieldBytes = 64 << 10;    // of a header in all
constexpr size_t kMaxUnreadBytes = 64 << 10;   // of the page that comes with an error
constexpr long kConnectSeconds = 15;
constexpr long kStalledSeconds = 30;

// Retry-After and the start of a Content-Range: a number at the start of the text.
std::optional<uint64_t> leading_number(std::string_view text) {
  uint64_t number = 0;
  const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc()) return std::nullopt;
  return number;
}

// Once for the process, before any thread's first handle.
void start_curl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) throw failed_error("libcurl cannot be started");
}

bool is_ok(long status) {
  return status == 200 || status == 206;
}

bool may_pass(long status) {
  return status == 408 || status == 429 || status >= 500;
}

// What libcurl's functions work on in one request. They are C: an exception waits in `problem`.
struct Transfer {
  CURL* curl = nullptr;
  HttpAnswer answer;
  BodySink* sink = nullptr;
  uint64_t from = 0;
  uint64_t received = 0, unread = 0;
  size_t field_bytes = 0;
  bool begun = false, enough = false;
  const std::function<bool()>* interrupted = nullptr;
  std::exception_ptr problem;

  // The first bytes of a body: whether they are those that were asked for.
  void begin() {
    begun = true;
    if (from == 0 || answer.status == 200) return sink->restart();
    const std::string range = answer.field("content-range");
    if (range.starts_with("bytes ") && leading_number(range.substr(6)) == from) return;
    sink->restart();
    throw ConnectionError(concat(url_origin(answer.url), " sends another range than asked for"));
  }

  size_t take(std::string_view bytes) {
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    if (sink == nullptr || !is_ok(answer.status)) {
      unread += bytes.size();
      enough = unread > kMaxUnreadBytes;
      return enough ? 0 : bytes.size();
    }
    if (!begun) begin();
    sink->write(bytes);
    received += bytes.size();
    return bytes.size();
  }

  void take_field(std::string_view line) {
    if (line.starts_with("HTTP/")) answer.fields.clear();  // of the answer before, "100 Continue"
    const size_t colon = line.find(':');
    field_bytes += line.size();
    if (colon == line.npos || field_bytes > kMaxFieldBytes) return;
    std::string name(line.substr(0, colon));
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.back() <= ' ') value.remove_suffix(1);
    while (!value.empty() && value.front() <= ' ') value.remove_prefix(1);
    answer.fields[name] = value;
  }
};

size_t on_body(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  try {
    return transfer.take({data, size * count});
  } catch (...) {
    transfer.problem = std::current_exception();
    return 0;
  }
}

size_t on_field(char* data, size_t size, size_t count, void* user) {
  static_cast<Transfer*>(user)->take_field({data, size * count});
  return size * count;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& interrupted = *static_cast<Transfer*>(user)->interrupted;
  return interrupted && interrupted() ? 1 : 0;
}

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string url_part(CURLU* url, CURLUPart part, unsigned flags) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string copy = text;
  curl_free(text);
  return copy;
}

// A bundle of certificates that the user has set; empty: the system's.
std::string certificate_file() {
  for (const char* name : {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return {};
}

bool is_certificate_problem(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
         code == CURLE_SSL_ISSUER_ERROR;
}

}  // namespace

struct HttpClient::State {
  struct CurlDeleter {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  };
  struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  HttpOptions options;
  std::unique_ptr<CURL, CurlDeleter> curl;
  std::array<char, CURL_ERROR_SIZE> error{};
  bool reached = false;
  uint64_t received = 0;

  void set_up(Transfer& transfer, const std::string& url);
  HttpAnswer request(const std::string& url, BodySink* sink);
  HttpAnswer follow(const std::string& url, BodySink* sink);
  HttpAnswer with_retries(const std::string& url, BodySink* sink);
  void wait(milliseconds delay) const;
  [[noreturn]] void fail(CURLcode code, const std::string& url) const;
};

void HttpClient::State::set_up(Transfer& transfer, const std::string& url) {
  CURL* handle = curl.get();
  curl_easy_reset(handle);  // connections stay
  error.front() = '\0';
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);  // threads
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "m2.cpp");
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error.data());
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, kStalledSeconds);
  curl_easy_setopt(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);  // a proxy's answer is none
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_field);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_NOBODY, transfer.sink == nullptr ? 1L : 0L);
  if (const std::string file = certificate_file(); !file.empty()) {
    curl_easy_setopt(handle, CURLOPT_CAINFO, file.c_str());
  }
  if (transfer.from > 0) {
    curl_easy_setopt(handle, CURLOPT_RANGE, concat(transfer.from, "-").c_str());
  }
}

HttpAnswer HttpClient::State::request(const std::string& url, BodySink* sink) {
  Transfer transfer;
  transfer.curl = curl.get();
  transfer.sink = sink;
  transfer.from = sink == nullptr ? 0 : sink->offset();
  transfer.answer.url = url;
  transfer.interrupted = &options.interrupted;
  set_up(transfer, url);
  // Lengths and checksums are those of the plain bytes.
  std::unique_ptr<curl_slist, ListDeleter> fields(
      curl_slist_append(nullptr, "Accept-Encoding: identity"));
  if (!options.token.empty() && url_origin(url) == url_origin(options.base)) {
    const std::string line = "Authorization: Bearer " + options.token;
    fields.reset(curl_slist_append(fields.release(), line.c_str()));
  }
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, fields.get());
  const CURLcode code = curl_easy_perform(curl.get());
  received += transfer.received;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &transfer.answer.status);
  reached = reached || transfer.answer.status > 0;
  if (transfer.problem) std::rethrow_exception(transfer.problem);
  if (code != CURLE_OK && !transfer.enough) fail(code, url);
  const char* redirect = nullptr;
  curl_easy_getinfo(curl.get(), CURLINFO_REDIRECT_URL, &redirect);
  if (redirect != nullptr) transfer.answer.redirect = redirect;
  return std::move(transfer.answer);
}

void HttpClient::State::fail(CURLcode code, const std::string& url) const {
  if (code == CURLE_ABORTED_BY_CALLBACK) throw Error(ErrorKind::kInterrupted, "interrupted");
  const char* text = error.front() != '\0' ? error.data() : curl_easy_strerror(code);
  const std::string message = concat(url_origin(url), ": ", printable(text, 200));
  if (is_certificate_problem(code)) {
    throw failed_error(concat(message,
                              "; install the system's certificates (ca-certificates), or name a "
                              "file of them in SSL_CERT_FILE"));
  }
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
    throw failed_error(message);
  }
  throw ConnectionError(message);
}

HttpAnswer HttpClient::State::follow(const std::string& url, BodySink* sink) {
  std::map<std::string, std::string> earlier;
  std::string at = url;
  for (int hop = 0; hop <= kMaxRedirects; ++hop) {
    HttpAnswer answer = request(at, sink);
    for (const auto& [name, value] : answer.fields) {
      if (name.starts_with("x-")) earlier[name] = value;
    }
    const bool leaves = url_origin(answer.redirect) != url_origin(options.base);
    if (answer.redirect.empty() || (sink == nullptr && leaves)) {
      answer.fields.merge(earlier);
      return answer;
    }
    const std::string target = url_origin(answer.redirect);
    if (target.empty() || (at.starts_with("https:") && target.starts_with("http:"))) {
      throw failed_error(concat(url_origin(at), " redirects to ", printable(answer.redirect),
                                ", which is not followed: it is not as safe"));
    }
    at = answer.redirect;
  }
  throw failed_error(concat(url_origin(url), " redirects more than ", kMaxRedirects, " times"));
}

HttpAnswer HttpClient::State::with_retries(const std::string& url, BodySink* sink) {
  milliseconds delay = kFirstDelay;
  for (int tries = 1;; ++tries) {
    const uint64_t before = received;
    milliseconds wanted{0};
    const auto is_last = [&] {
      if (received - before >= kProgressBytes) {
        tries = 1;
        delay = kFirstDelay;
      }
      return tries == kMaxTries;
    };
    try {
      HttpAnswer answer = follow(url, sink);
      const bool beyond_the_end = answer.status == 416 && sink != nullptr && sink->offset() > 0;
      if (beyond_the_end) sink->restart();
      if (!(may_pass(answer.status) || beyond_the_end) || is_last()) return answer;
      const auto seconds = leading_number(answer.field("retry-after")).value_or(0);
      wanted = milliseconds(1000 * std::min<uint64_t>(seconds, kLongestDelay.count() / 1000));
      log_debug(concat(url_origin(answer.url), " answers ", answer.status, "; trying again"));
    } catch (const ConnectionError& problem) {
      // A server that was never there is told at once.
      if (!reached || is_last()) throw;
      log_debug(concat(problem.what(), "; trying again"));
    }
    wait(std::max(delay, wanted));
    delay *= 2;
  }
}

void HttpClient::State::wait(milliseconds delay) const {
  constexpr milliseconds kStep{50};
  for (milliseconds waited{0}; waited < delay; waited += kStep) {
    if (options.interrupted && options.interrupted()) {
      throw Error(ErrorKind::kInterrupted, "interrupted");
    }
    std::this_thread::sleep_for(kStep);
  }
}

HttpClient::HttpClient(HttpOptions options) : state_(std::make_unique<State>()) {
  start_curl();
  state_->options = std::move(options);
  state_->curl.reset(curl_easy_init());
  if (!state_->curl) throw failed_error("libcurl cannot be started");
}

HttpClient::~HttpClient() = default;

HttpAnswer HttpClient::head(const std::string& url) {
  return state_->with_retries(url, nullptr);
}

HttpAnswer HttpClient::get(const std::string& url, BodySink& sink) {
  return state_->with_retries(url, &sink);
}

bool HttpClient::reached() const {
  return state_->reached;
}

uint64_t HttpClient::received() const {
  return state_->received;
}

std::string HttpAnswer::field(const std::string& name) const {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string() : found->second;
}

std::string url_escape(std::string_view text, bool keep_slashes) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string escaped;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && keep_slashes);
    const auto byte = static_cast<unsigned char>(c);
    if (plain) {
      escaped += c;
    } else {
      escaped += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return escaped;
}

std::string url_origin(const std::string& url) {
  const std::unique_ptr<CURLU, UrlDeleter> parsed(curl_url());
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return {};
  const std::string scheme = url_part(parsed.get(), CURLUPART_SCHEME, 0);
  if (scheme != "http" && scheme != "https") return {};
  std::string origin = scheme + "://" + url_part(parsed.get(), CURLUPART_HOST, 0);
  for (char& c : origin) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const std::string port = url_part(parsed.get(), CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
  return port.empty() ? origin : origin + ":" + port;
}

}  // namespace m2
