#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>

#include "apps/m2/command.h"
#include "cli/descriptor_limit.h"
#include "cli/number_checks.h"
#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "serve/http/server.h"
#include "serve/request_log.h"
#include "serve/served_model.h"
#include "serve/service.h"

namespace m2 {
namespace {

using std::chrono::milliseconds;

constexpr size_t kOtherDescriptors = 64;  // beside connections

struct ServeFlags {
  ModelFlags model;
  std::vector<std::string> model_ids, aliases;
  HttpAddress address;
  ServeOptions options;
  std::string body_bytes = "32MiB", held_bytes = "256MiB", response_bytes = "256MiB";
  double header_seconds = 10, body_seconds = 60, write_seconds = 60, idle_seconds = 75;
  double request_seconds = 600, shutdown_seconds = 30;
  std::string api_key_file, log_level = "info";
  bool insecure = false;
};

milliseconds milliseconds_of(double seconds) {
  return milliseconds(static_cast<int64_t>(seconds * 1000));
}

ServeOptions options_of(const ServeFlags& flags) {
  ServeOptions options = flags.options;
  options.http.body_bytes = parse_bytes(flags.body_bytes);
  options.http.held_bytes = parse_bytes(flags.held_bytes);
  options.http.header_time = milliseconds_of(flags.header_seconds);
  options.http.body_time = milliseconds_of(flags.body_seconds);
  options.http.write_time = milliseconds_of(flags.write_seconds);
  options.http.idle_time = milliseconds_of(flags.idle_seconds);
  options.response_bytes = parse_bytes(flags.response_bytes);
  options.request_timeout = milliseconds_of(flags.request_seconds);
  if (!flags.api_key_file.empty()) {
    for (std::string& key : read_api_keys(flags.api_key_file)) {
      options.api_keys.push_back(std::move(key));
    }
  }
  for (const std::string& key : options.api_keys) {
    if (key.empty()) throw usage_error("an API key is empty");
  }
  return options;
}

bool is_loopback(const std::string& host) {
  const bool numbers = host.find_first_not_of("0123456789.") == host.npos;
  return host == "localhost" || host == "::1" || (numbers && host.starts_with("127."));
}

void check_exposure(const ServeFlags& flags, const ServeOptions& options) {
  const bool local = !flags.address.unix_socket.empty() || is_loopback(flags.address.host);
  if (local || flags.insecure || !options.api_keys.empty()) return;
  throw usage_error(concat("--host ", flags.address.host,
                           " opens the server to other machines: give an --api-key, or say "
                           "--insecure if everyone who reaches it may use it"));
}

// A folder's or file's own name; of a name on the hub also what it is without its revision.
std::vector<std::string> names_of(const std::string& id) {
  if (std::filesystem::exists(id)) {
    const std::filesystem::path path = std::filesystem::absolute(id).lexically_normal();
    return {path.has_filename() ? path.filename().string()
                                : path.parent_path().filename().string()};
  }
  const std::string bare = id.substr(0, id.find('@'));
  if (bare == id) return {id};
  return {bare, id};
}

std::vector<ServedModel::Source> sources_of(const ServeFlags& flags) {
  std::vector<ServedModel::Source> sources;
  for (const std::string& id : flags.model_ids) {
    ModelFlags model = flags.model;
    model.model_id = id;
    sources.push_back(
        {names_of(id), [model] { return model.files(); }, model.tokenizer, model.session()});
  }
  if (sources.size() > 1 && (!flags.model.config.empty() || !flags.model.tokenizer.empty())) {
    throw usage_error("--config and --tokenizer belong to one model; several are served");
  }
  for (const std::string& alias : flags.aliases) {
    const size_t equals = alias.find('=');
    const std::string of =
        equals == alias.npos ? flags.model_ids.front() : alias.substr(equals + 1);
    const auto at = std::find(flags.model_ids.begin(), flags.model_ids.end(), of);
    if (at == flags.model_ids.end()) {
      throw usage_error(concat("--alias ", printable(alias), ": no --model-id is ", printable(of)));
    }
    const auto index = static_cast<size_t>(at - flags.model_ids.begin());
    sources[index].names.push_back(alias.substr(0, equals));
  }
  return sources;
}

LogLevel parse_log_level(const std::string& text) {
  return text == "debug"     ? LogLevel::kDebug
         : text == "warning" ? LogLevel::kWarning
                             : LogLevel::kInfo;
}

// The signals that end a server. Blocked before any thread starts, so that only wait_for_end() sees
// them.
sigset_t block_end_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return set;
}

bool end_wanted(const sigset_t& set, milliseconds patience) {
  const timespec time = {patience.count() / 1000, patience.count() % 1000 * 1000000};
  return sigtimedwait(&set, nullptr, &time) > 0;
}

// Waits for a signal; a model that cannot be loaded ends the server with its error.
void wait_for_end(const sigset_t& set, std::future<void>& loading, RequestLog& log,
                  const ServedModels& models) {
  constexpr milliseconds kLoadingPeriod{20}, kPeriod{1000};
  while (!end_wanted(set, loading.valid() ? kLoadingPeriod : kPeriod)) {
    if (!loading.valid() || loading.wait_for(milliseconds(0)) != std::future_status::ready)
      continue;
    loading.get();
    log.event(LogLevel::kInfo,
              concat("ready: ", models.all().size(), " of ", models.all().size(), " models"));
  }
}

// Finishes what is in hand, at most for so long; a second signal ends that.
void finish_work(HttpServer& server, Service& service, double seconds, const sigset_t& set,
                 RequestLog& log) {
  service.drain();
  server.drain();
  log.event(LogLevel::kInfo,
            concat("shutting down: ", server.open_exchanges(), " requests in hand"));
  const auto end = ServeClock::now() + milliseconds_of(seconds);
  while (server.open_exchanges() > 0 && ServeClock::now() < end) {
    if (end_wanted(set, milliseconds(10))) break;
  }
  service.stop();
  // The refusals that stop() made get a moment to be sent.
  const auto sent = ServeClock::now() + milliseconds(500);
  while (server.open_exchanges() > 0 && ServeClock::now() < sent) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  server.stop();
}

// The library's messages go to the log as long as it lives.
class LogSinkScope {
 public:
  explicit LogSinkScope(RequestLog& log) {
    set_log_sink([&log](LogLevel level, const std::string& message) { log.event(level, message); });
  }
  ~LogSinkScope() { set_log_sink({}); }
  LogSinkScope(const LogSinkScope&) = delete;
  LogSinkScope& operator=(const LogSinkScope&) = delete;
};

void serve(const ServeFlags& flags) {
  const ServeOptions options = options_of(flags);
  check_exposure(flags, options);
  ServedModels models(sources_of(flags));
  const sigset_t signals = block_end_signals();
  RequestLog log(stderr, parse_log_level(flags.log_level));
  const LogSinkScope sink(log);
  const size_t wanted = options.http.connections + kOtherDescriptors;
  if (const size_t granted = raise_descriptor_limit(wanted); granted < wanted) {
    log.event(LogLevel::kWarning,
              concat("the system grants ", granted, " open files, --max-connections ",
                     options.http.connections, " needs ", wanted, ": see ulimit -n, LimitNOFILE"));
  }
  Service service(models, options, log);
  HttpServer server(flags.address, options.http, service);
  service.watch_server(server);
  server.start();
  log.event(LogLevel::kInfo, concat("listening on ", server.address()));
  auto loading = std::async(std::launch::async, [&models] {
    for (const auto& model : models.all()) model->load();
  });
  wait_for_end(signals, loading, log, models);
  finish_work(server, service, flags.shutdown_seconds, signals, log);
  log.event(LogLevel::kInfo, "stopped");
  // A load in hand cannot be called off, and is not waited for.
  if (loading.valid() && loading.wait_for(milliseconds(0)) != std::future_status::ready) {
    std::_Exit(0);
  }
}

void add_address(CLI::App& command, ServeFlags& flags) {
  command.add_option("--host,--hostname", flags.address.host, "Address to listen on")
      ->envname("M2_HOST")
      ->capture_default_str();
  command.add_option("--port", flags.address.port, "Port; 0 takes a free one, which the log says")
      ->envname("M2_PORT")
      ->capture_default_str();
  command.add_option("--unix-socket", flags.address.unix_socket,
                     "Listen on this UNIX socket instead");
  command.add_flag("--insecure", flags.insecure,
                   "Allow a --host that other machines reach without an API key");
  command
      .add_option("--api-key", flags.options.api_keys,
                  "Serve only requests that bring this key, Authorization: Bearer KEY; may be "
                  "repeated; better in M2_API_KEY or in a file, where other users do not see it")
      ->envname("M2_API_KEY")
      ->allow_extra_args(false);
  command.add_option("--api-key-file", flags.api_key_file, "File with a key a line");
  command
      .add_option("--cors-allow-origin", flags.options.cors_origins,
                  "Origin whose pages may call from a browser, as https://example.org; may be "
                  "repeated; * for all")
      ->allow_extra_args(false);
}

void add_limits(CLI::App& command, ServeFlags& flags) {
  ServeOptions& options = flags.options;
  const auto count = [&](const char* name, size_t& value, const char* help) {
    command.add_option(name, value, help)->capture_default_str()->check(above_zero());
  };
  const auto seconds = [&](const char* name, double& value, const char* help) {
    command.add_option(name, value, help)->capture_default_str()->check(CLI::Range(0.001, 1e6));
  };
  const auto bytes = [&](const char* name, std::string& value, const char* help) {
    command.add_option(name, value, help)->capture_default_str();
  };
  count("--max-client-batch-size", options.inputs, "Texts of a request");
  command
      .add_option("--max-input-tokens", options.input_tokens,
                  "Tokens of a text; the model's length by default")
      ->check(above_zero());
  count("--max-request-tokens", options.request_tokens, "Tokens of a request, pads included");
  count("--max-queue-tokens", options.queue.tokens,
        "Tokens that wait or are computed, of requests' first batches; more are answered 429");
  count("--max-backlog-tokens", options.queue.backlog_tokens,
        "The same of what large requests have beyond their first batch");
  count("--max-batch-tokens", options.queue.batch_tokens,
        "Tokens computed together; a short text waits for as many");
  bytes("--max-body-bytes", flags.body_bytes, "Bytes of a request");
  bytes("--max-held-bytes", flags.held_bytes, "Bytes of all requests not answered yet");
  bytes("--max-response-bytes", flags.response_bytes, "Bytes of an answer");
  count("--max-header-bytes", options.http.header_bytes, "Bytes of a request's head");
  count("--max-connections", options.http.connections, "Open connections");
  seconds("--header-timeout", flags.header_seconds, "Seconds for a request's head");
  seconds("--body-timeout", flags.body_seconds, "Seconds for a request's body");
  seconds("--write-timeout", flags.write_seconds, "Seconds for a client to take an answer");
  seconds("--idle-timeout", flags.idle_seconds, "Seconds that a connection may rest");
  seconds("--request-timeout", flags.request_seconds,
          "Seconds for a request; a client may ask for less by x-request-timeout");
  seconds("--shutdown-timeout", flags.shutdown_seconds,
          "Seconds to finish what is in hand after SIGTERM");
}

}  // namespace

void add_serve(CLI::App& app) {
  CLI::App* command = app.add_subcommand("serve", "Answer embedding requests over HTTP");
  const auto flags = std::make_shared<ServeFlags>();
  flags->model.add_models(*command, flags->model_ids);
  flags->model.add_tokenizer(*command);
  flags->model.add_compute(*command);
  flags->model.add_dtype(*command);
  command
      ->add_option("--alias", flags->aliases,
                   "Another name of the first model, or NAME=MODEL-ID of any; may be repeated")
      ->allow_extra_args(false);
  add_address(*command, *flags);
  add_limits(*command, *flags);
  command->add_flag("--auto-truncate", flags->options.auto_truncate,
                    "Cut texts longer than the model where a request does not say; the answer "
                    "tells");
  command->add_flag("--allow-bare-ids", flags->options.allow_bare_ids,
                    "Take token ids that lack the special tokens");
  command->add_option("--log-level", flags->log_level, "Least that is logged on stderr, as JSON")
      ->check(CLI::IsMember({"debug", "info", "warning"}))
      ->capture_default_str();
  command->footer(
      "Routes: /v1/embeddings, /v1/models, /embed, /embed_all, /similarity, /rerank, /tokenize,\n"
      "/info, /health, /ready, /metrics, /openapi.json, and / for a page to try it.\n\n"
      "Example:\n"
      "  m2 serve --model-id my-model --port 8080\n"
      "  curl localhost:8080/v1/embeddings -H 'Content-Type: application/json' \\\n"
      "    -d '{\"input\": \"a first text\"}'");
  command->callback([flags] { serve(*flags); });
}

}  // namespace m2
