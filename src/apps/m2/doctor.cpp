#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/m2/command.h"
#include "cli/output_file.h"
#include "core/machine.h"
#include "core/text.h"
#include "core/threads.h"
#include "hub/hub_cache.h"
#include "kernels/isa.h"
#include "ops/gemm/matmul.h"
#include "ops/operand.h"

extern char** environ;

namespace m2 {
namespace {

using Json = nlohmann::ordered_json;

// What the largest published model takes for its longest text.
constexpr uint64_t kLongTextMemory = 2'500'000'000;
// Below this much fresh memory a second (in bytes) a run pays more for pages than for work.
constexpr double kDearPages = 2e9;

// Bytes of fresh memory that a second gives, touched page by page.
double fresh_memory_rate() {
  constexpr size_t kBytes = size_t{64} << 20, kPage = 4096;
  const auto start = std::chrono::steady_clock::now();
  {
    const std::unique_ptr<char[]> block(new char[kBytes]);
    volatile char* bytes = block.get();
    for (size_t i = 0; i < kBytes; i += kPage) bytes[i] = 1;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return static_cast<double>(kBytes) / seconds.count();
}

// Settings of this program and of the hub's cache, without the secret ones.
Json settings() {
  Json found = Json::object();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const bool ours = name.starts_with("M2_") || name == "HF_HOME" || name == "HF_HUB_CACHE";
    const bool secret = name.find("KEY") != name.npos || name.find("TOKEN") != name.npos;
    if (ours && equals != text.npos) found[name] = secret ? "(set)" : text.substr(equals + 1);
  }
  return found;
}

// Of each number type of products: whether this machine multiplies it, and how fast it then is.
Json number_types(int threads) {
  Json found = Json::object();
  const double fp32 = measure_gemm_rate(DType::kF32, threads, 5);
  for (const DType type : kProductTypes) {
    const bool multiplied = operand_type(type) == type;
    const bool measured = multiplied && type != DType::kF32;
    found[dtype_name(type)] = {
        {"multiplied", multiplied},
        {"gemm_gflops", measured ? measure_gemm_rate(type, threads, 5) : fp32}};
  }
  return found;
}

std::vector<std::string> slow_points(const Machine& machine, int threads, double page_rate) {
  std::vector<std::string> points;
  const auto add = [&](bool slow, const std::string& what) {
    if (slow) points.push_back(what);
  };
  const std::vector<Isa> isas = available_isas();
  add(current_isa() != isas.front(), concat("M2_ISA holds the program at ", isa_name(current_isa()),
                                            "; this machine has ", isa_name(isas.front())));
  add(isas.front() == Isa::kAvx2, "no AVX-512: about half the rate of a machine with it");
  add(isas.front() == Isa::kSse4 || isas.front() == Isa::kScalar,
      "no AVX2: a quarter of the rate of a machine with AVX-512, or less");
  const bool quota = machine.processor_quota > 0 && machine.processor_quota < threads;
  add(quota, concat("its control group grants ", machine.processor_quota, " processors for ",
                    threads, " threads; set --threads to it"));
  const uint64_t memory =
      machine.memory_limit > 0 ? machine.memory_limit : machine.available_memory;
  add(memory > 0 && memory < kLongTextMemory,
      concat("only ", bytes_text(memory), " of memory: one text of 32,768 tokens takes ",
             bytes_text(kLongTextMemory), "; m2 info says what a model takes"));
  add(machine.huge_pages == "never",
      "transparent huge pages are off: long texts meet more misses of the page table");
  add(page_rate < kDearPages,
      concat("fresh memory is dear here (", bytes_text(static_cast<uint64_t>(page_rate)),
             " a second): the first text of a size pays for its pages, one process for many texts "
             "is best"));
  return points;
}

Json examine() {
  const Machine machine = describe_machine();
  const int threads = physical_cores();
  const double page_rate = fresh_memory_rate();
  Json isas = Json::array(), caches = Json::array();
  for (const Isa isa : available_isas()) isas.emplace_back(isa_name(isa));
  for (const Cache& cache : machine.caches) {
    caches.push_back({{"level", cache.level}, {"type", cache.type}, {"bytes", cache.bytes}});
  }
  const Json types = number_types(threads);
  Json vectors = Json::array();
  for (const char* feature : {"avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile"}) {
    if (machine.has(feature)) vectors.emplace_back(feature);
  }
  return {{"version", M2_VERSION},
          {"processor", machine.processor},
          {"features", vectors},
          {"instruction_set", isa_name(current_isa())},
          {"instruction_sets", isas},
          {"threads", threads},
          {"usable_processors", machine.usable_processors},
          {"processor_quota", machine.processor_quota},
          {"gemm_gflops", types[dtype_name(DType::kF32)]["gemm_gflops"]},
          {"number_types", types},
          {"caches", caches},
          {"memory_bytes", machine.memory},
          {"available_memory_bytes", machine.available_memory},
          {"memory_limit_bytes", machine.memory_limit},
          {"huge_pages", machine.huge_pages},
          {"fresh_memory_bytes_per_second", page_rate},
          {"model_cache", hub_cache_folder()},
          {"settings", settings()},
          {"libraries",
           {{"oneDNN", gemm_library_version()},
            {"Highway", highway_version()},
            {"nlohmann-json", M2_NLOHMANN_JSON_VERSION},
            {"yaml-cpp", M2_YAML_CPP_VERSION},
            {"zlib", M2_ZLIB_VERSION},
            {"CLI11", CLI11_VERSION},
            {"spdlog", M2_SPDLOG_VERSION},
            {"g++ that built it", __VERSION__}}},
          {"slow", slow_points(machine, threads, page_rate)}};
}

std::string cache_line(const Json& caches) {
  std::vector<std::string> parts;
  for (const Json& cache : caches) {
    const std::string type = cache["type"];
    if (type == "Instruction") continue;
    parts.push_back(
        concat("L", cache["level"].get<int>(), " ", cache["bytes"].get<uint64_t>() >> 10, " KiB"));
  }
  return join(parts, ", ");
}

std::string words(const Json& list) {
  return join(list.get<std::vector<std::string>>(), ", ");
}

std::string rate_text(const Json& number_type) {
  if (!number_type["multiplied"].get<bool>()) {
    return "this machine multiplies none: rounded weights are widened to fp32, and cost as it does";
  }
  std::array<char, 64> rate{};
  std::snprintf(rate.data(), rate.size(), "%.0f GFLOP/s", number_type["gemm_gflops"].get<double>());
  return rate.data();
}

void print(const Json& found, std::ostream& output) {
  const auto row = [&](const std::string& name, const std::string& value) {
    std::string line = name;
    line.resize(std::max<size_t>(line.size() + 1, 20), ' ');
    output << line << (value.empty() ? "not stated" : value) << '\n';
  };
  const auto bytes = [&](const char* key) { return bytes_text(found[key].get<uint64_t>()); };
  row("version", found["version"]);
  row("processor", found["processor"]);
  row("  features", words(found["features"]));
  row("instruction set", concat(found["instruction_set"].get<std::string>(), ", of ",
                                words(found["instruction_sets"])));
  row("threads", concat(found["threads"].get<int>(), ", one a physical core, of ",
                        found["usable_processors"].get<int>(), " processors"));
  row("matrix products", concat("by oneDNN ", gemm_library_version()));
  for (const auto& [name, type] : found["number_types"].items()) row("  " + name, rate_text(type));
  row("caches", cache_line(found["caches"]));
  row("memory",
      concat(bytes("memory_bytes"), ", ", bytes("available_memory_bytes"), " available",
             found["memory_limit_bytes"] == 0 ? std::string()
                                              : ", limited to " + bytes("memory_limit_bytes")));
  row("huge pages", found["huge_pages"]);
  row("fresh memory",
      bytes_text(static_cast<uint64_t>(found["fresh_memory_bytes_per_second"].get<double>())) +
          " a second");
  row("models are sought", found["model_cache"]);
  for (const auto& [name, value] : found["settings"].items()) row("  " + name, value);
  output << "libraries\n";
  for (const auto& [name, version] : found["libraries"].items()) row("  " + name, version);
  for (const Json& point : found["slow"]) row("slow", point);
  if (found["slow"].empty()) row("slow", "nothing that this program knows of");
}

}  // namespace

void add_doctor(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("doctor", "Say what this machine has, and what it will be slow at");
  const auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "One JSON object instead of a table");
  command->footer(
      "Takes a second or two: it times matrix products and the touching of fresh memory.\n\n"
      "Example:\n"
      "  m2 doctor");
  command->callback([as_json] {
    const Json found = examine();
    OutputFile output("", OutputFile::OnFailure::kRemove);
    if (*as_json) {
      output.stream() << found.dump(1, ' ', false, Json::error_handler_t::replace) << '\n';
    } else {
      print(found, output.stream());
    }
    output.commit();
  });
}

}  // namespace m2
