#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/m2/command.h"
#include "apps/m2/load_client.h"
#include "cli/descriptor_limit.h"
#include "cli/interrupt.h"
#include "cli/number_checks.h"
#include "cli/output_file.h"
#include "core/error.h"
#include "core/random.h"
#include "core/text.h"

namespace m2 {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kTexts = 64;  // different ones of each length

struct ServeBenchFlags {
  std::string url = "http://127.0.0.1:8080", api_key, model, texts, json;
  std::vector<int64_t> lengths = {128};
  std::vector<size_t> clients = {1, 16, 256};
  std::vector<double> rates;
  size_t inputs = 1;
  double seconds = 30, warm_up = 3;
};

// Texts of a server's requests, and what they come to.
struct Texts {
  std::string name;  // "128", or "file"
  std::vector<std::string> bodies;
  double tokens = 0;  // of a request, mean
};

struct Row {
  std::string texts;
  size_t clients = 0;
  double rate = 0, tokens = 0;
  LoadResult result;
};

// So many tokens with the two special ones: single letters are words of any vocabulary.
std::string letters(int64_t tokens, Random& random) {
  std::string text;
  for (int64_t i = 2; i < tokens; ++i) {
    if (!text.empty()) text += ' ';
    text += static_cast<char>('a' + static_cast<char>(random.uniform(0, 26)));
  }
  return text;
}

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw input_error(concat(path, ": cannot be read"));
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  if (lines.empty()) throw input_error(concat(path, ": holds no text"));
  return lines;
}

std::string fetch_good(const LoadTarget& target, const std::string& path, const std::string& body) {
  Fetched fetched = fetch(target, "POST", path, body);
  if (fetched.status == 200) return std::move(fetched.body);
  throw failed_error(concat(path, ": status ", fetched.status, ": ", printable(fetched.body, 300)));
}

// A server that just started may still be reading its model.
void wait_until_ready(const LoadTarget& target) {
  while (fetch(target, "GET", "/ready", "").status != 200) {
    stop_if_interrupted();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

// The requests of `inputs` texts each, and their tokens as the server counts them.
Texts texts_of(const std::string& name, const std::vector<std::string>& lines,
               const ServeBenchFlags& flags, const LoadTarget& target) {
  Texts texts = {name, {}, 0};
  size_t tokens = 0;
  const size_t requests = (lines.size() + flags.inputs - 1) / flags.inputs;
  for (size_t request = 0; request < requests; ++request) {
    Json input = Json::array();
    for (size_t i = 0; i < flags.inputs; ++i) {
      input.push_back(lines[(request * flags.inputs + i) % lines.size()]);
    }
    Json body = {{"input", input}, {"encoding_format", "base64"}};
    Json asked = {{"inputs", input}};
    if (!flags.model.empty()) body["model"] = asked["model"] = flags.model;
    const Json counted = Json::parse(fetch_good(target, "/tokenize", asked.dump()));
    for (const Json& one : counted) tokens += one.size();
    texts.bodies.push_back(body.dump());
  }
  texts.tokens = static_cast<double>(tokens) / static_cast<double>(requests);
  return texts;
}

std::vector<Texts> all_texts(const ServeBenchFlags& flags, const LoadTarget& target) {
  if (!flags.texts.empty()) return {texts_of("file", lines_of(flags.texts), flags, target)};
  std::vector<Texts> all;
  for (const int64_t length : flags.lengths) {
    Random random(static_cast<uint64_t>(length), "texts");
    std::vector<std::string> lines;
    for (size_t i = 0; i < kTexts; ++i) lines.push_back(letters(length, random));
    all.push_back(texts_of(std::to_string(length), lines, flags, target));
  }
  return all;
}

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(share * static_cast<double>(values.size()));
  return values[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

double requests_per_second(const Row& row) {
  return static_cast<double>(row.result.seconds.size()) / row.result.whole_seconds;
}

size_t answers(const LoadResult& result, int status) {
  const auto found = result.statuses.find(status);
  return found == result.statuses.end() ? 0 : found->second;
}

size_t other_answers(const LoadResult& result) {
  size_t count = result.broken;
  for (const auto& [status, answered] : result.statuses) {
    if (status != 200 && status != 429) count += answered;
  }
  return count;
}

std::string table_row(const Row& row) {
  const LoadResult& result = row.result;
  std::array<char, 200> text{};
  const std::string load = row.rate > 0 ? concat(row.rate, "/s") : std::to_string(row.clients);
  std::snprintf(text.data(), text.size(), "%7s %9s %8zu %7zu %6zu %10.2f %9.0f %8.3f %8.3f %8.3f",
                row.texts.c_str(), load.c_str(), answers(result, 200), answers(result, 429),
                other_answers(result), requests_per_second(row),
                requests_per_second(row) * row.tokens, quantile(result.seconds, 0.5),
                quantile(result.seconds, 0.99), quantile(result.seconds, 1));
  return text.data();
}

const char kHead[] =
    " tokens   clients      200     429  other requests/s  tokens/s      p50      p99      max\n";

Json row_json(const Row& row) {
  Json statuses = Json::object();
  for (const auto& [status, count] : row.result.statuses) statuses[std::to_string(status)] = count;
  return {{"texts", row.texts},
          {"tokens_a_request", row.tokens},
          {"clients", row.clients},
          {"rate", row.rate},
          {"statuses", statuses},
          {"broken", row.result.broken},
          {"seconds", row.result.whole_seconds},
          {"requests_per_second", requests_per_second(row)},
          {"tokens_per_second", requests_per_second(row) * row.tokens},
          {"p50", quantile(row.result.seconds, 0.5)},
          {"p99", quantile(row.result.seconds, 0.99)},
          {"max", quantile(row.result.seconds, 1)},
          {"most_open", row.result.most_open}};
}

Row time_load(const Texts& texts, size_t clients, double rate, const ServeBenchFlags& flags,
              const LoadTarget& target) {
  LoadPlan plan = {texts.bodies, clients, rate, flags.seconds};
  Row row = {texts.name, clients, rate, texts.tokens, put_load(target, plan)};
  return row;
}

void bench_serve(const ServeBenchFlags& flags) {
  constexpr size_t kDescriptors = 16384;  // an open loop leaves many requests without an answer
  raise_descriptor_limit(kDescriptors);
  LoadTarget target = parse_target(flags.url);
  target.api_key = flags.api_key;
  std::unique_ptr<OutputFile> json;
  if (!flags.json.empty()) {
    json = std::make_unique<OutputFile>(flags.json, OutputFile::OnFailure::kRemove);
  }
  wait_until_ready(target);
  const std::vector<Texts> all = all_texts(flags, target);
  Json rows = Json::array();
  std::cout << kHead << std::flush;
  for (const Texts& texts : all) {
    if (flags.warm_up > 0) put_load(target, {texts.bodies, 1, 0, flags.warm_up});
    const auto run = [&](size_t clients, double rate) {
      const Row row = time_load(texts, clients, rate, flags, target);
      std::cout << table_row(row) << std::endl;
      rows.push_back(row_json(row));
      stop_if_interrupted();
    };
    for (const size_t clients : flags.clients) run(clients, 0);
    for (const double rate : flags.rates) run(0, rate);
  }
  if (json) {
    json->stream() << rows.dump(2) << '\n';
    json->commit();
  }
}

}  // namespace

void add_bench_serve(CLI::App& bench) {
  CLI::App* command = bench.add_subcommand("serve", "Put a load on a running server");
  const auto flags = std::make_shared<ServeBenchFlags>();
  command->add_option("--url", flags->url, "The server, http://HOST:PORT")->capture_default_str();
  command->add_option("--api-key", flags->api_key, "Key to bring")->envname("M2_API_KEY");
  command->add_option("--model", flags->model, "Name of the model; the server's first by default");
  command->add_option("--lengths", flags->lengths, "Tokens of the texts, of random letters")
      ->delimiter(',')
      ->check(CLI::Range(int64_t{3}, int64_t{1} << 20))
      ->capture_default_str();
  command->add_option("--texts", flags->texts, "Texts of this file instead, one a line");
  command->add_option("--inputs", flags->inputs, "Texts of a request")
      ->check(CLI::Range(size_t{1}, size_t{2048}))
      ->capture_default_str();
  command
      ->add_option("--clients", flags->clients,
                   "Clients that each wait for an answer before they ask again; 0 for none")
      ->delimiter(',')
      ->check(CLI::Range(size_t{0}, size_t{10000}))
      ->capture_default_str();
  command
      ->add_option("--rates", flags->rates, "Requests a second, begun whether answers come or not")
      ->delimiter(',')
      ->check(above_zero());
  command->add_option("--seconds", flags->seconds, "Time in which requests are begun, for each row")
      ->check(above_zero())
      ->capture_default_str();
  command->add_option("--warm-up", flags->warm_up, "Seconds before, of one client")
      ->check(not_negative())
      ->capture_default_str();
  command->add_option("--json", flags->json, "File for the figures");
  command->footer(
      "p50, p99 and max are seconds from a request's begin to its answer's end, of answers with\n"
      "status 200; other are other statuses than 200 and 429, and connections that broke.\n\n"
      "Example:\n"
      "  m2 bench serve --url http://127.0.0.1:8080 --lengths 128,2048 --clients 1,16,256");
  command->callback([flags] {
    std::erase(flags->clients, size_t{0});
    if (flags->clients.empty() && flags->rates.empty()) {
      throw usage_error("no load: name --clients or --rates");
    }
    bench_serve(*flags);
  });
}

}  // namespace m2
