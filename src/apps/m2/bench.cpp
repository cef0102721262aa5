#include <algorithm>
#include <charconv>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/m2/bench_report.h"
#include "apps/m2/bench_run.h"
#include "apps/m2/command.h"
#include "cli/number_checks.h"
#include "cli/output_file.h"
#include "config/flops.h"
#include "core/dtype.h"
#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "inference/estimate.h"
#include "kernels/isa.h"
#include "ops/gemm/matmul.h"
#include "ops/operand.h"

namespace m2 {
namespace {

constexpr int64_t kDefaultLengths[] = {128, 512, 2048, 8192, 32768};

struct BenchFlags {
  ModelFlags model;
  std::vector<std::string> dtypes;
  std::vector<int> threads = {0};
  std::vector<int64_t> lengths, batches = {1};
  int repeats = 5;
  std::string pooling = "mean";
  std::string documents;
  int64_t cut = 0;
  std::string json, svg;
  std::vector<std::string> peers, peer_longest;
  PeerOptions peer_options = {"", M2_BASELINES, "", 600};
  double peer_seconds = 20;
};

std::vector<BenchModel> load_models(const BenchFlags& flags) {
  std::vector<std::optional<DType>> dtypes;
  for (const std::string& name : flags.dtypes) {
    const auto dtype = parse_product_type(name);
    if (std::find(dtypes.begin(), dtypes.end(), dtype) == dtypes.end()) dtypes.push_back(dtype);
  }
  if (dtypes.empty()) dtypes.emplace_back();  // the model's own
  std::vector<BenchModel> models;
  for (const auto dtype : dtypes) {
    const int64_t before = resident_memory();
    ModelFiles files = flags.model.files();
    files.dtype = dtype;
    const auto model = load_model(files);
    models.push_back({model, resident_memory() - before});
  }
  return models;
}

// Those asked for; else the usual ones that the model takes, or its longest. None where documents
// alone are asked for.
std::vector<int64_t> lengths_of(const BenchFlags& flags, int64_t longest) {
  std::vector<int64_t> lengths = flags.lengths;
  if (lengths.empty() && flags.documents.empty()) {
    std::copy_if(std::begin(kDefaultLengths), std::end(kDefaultLengths),
                 std::back_inserter(lengths), [&](int64_t length) { return length <= longest; });
    if (lengths.empty()) lengths.push_back(longest);
  }
  for (const int64_t length : lengths) {
    if (length > longest) {
      throw usage_error(concat("--lengths ", length, ": the model takes ", longest, " tokens"));
    }
  }
  return lengths;
}

std::vector<BenchWork> work_of(const BenchFlags& flags, const Model& model) {
  const int64_t longest = model.config.max_length();
  std::vector<BenchWork> work;
  for (const int64_t length : lengths_of(flags, longest)) {
    for (const int64_t batch : flags.batches) {
      work.push_back(random_work(model.config, length, batch));
    }
  }
  if (!flags.documents.empty()) {
    const int64_t most = flags.cut > 0 ? std::min(flags.cut, longest) : longest;
    work.push_back(document_work(flags.documents, flags.model.tokenizer, model, most));
  }
  return work;
}

// "NAME=LENGTH" of --peer-max-length.
std::map<std::string, int64_t> longest_of_peers(const BenchFlags& flags) {
  std::map<std::string, int64_t> longest;
  for (const std::string& entry : flags.peer_longest) {
    const size_t equals = entry.find('=');
    int64_t length = 0;
    const char* begin = entry.data() + std::min(entry.size(), equals + 1);
    const char* end = entry.data() + entry.size();
    const auto [rest, problem] = std::from_chars(begin, end, length);
    if (equals == entry.npos || problem != std::errc() || rest != end || length < 1) {
      throw usage_error(concat("--peer-max-length ", printable(entry),
                               ": is no NAME=LENGTH, as in bert-pytorch-fp32=2048"));
    }
    longest[entry.substr(0, equals)] = length;
  }
  return longest;
}

std::vector<std::string> peers_of(const BenchFlags& flags) {
  std::vector<std::string> peers;
  for (const std::string& name : flags.peers) {
    const std::vector<std::string> meant =
        name == "all" ? known_peers() : std::vector<std::string>{name};
    for (const std::string& peer : meant) {
      if (std::find(peers.begin(), peers.end(), peer) == peers.end()) peers.push_back(peer);
    }
  }
  return peers;
}

BenchPlan plan_of(const BenchFlags& flags) {
  BenchPlan plan;
  plan.peer_longest = longest_of_peers(flags);
  plan.peers = peers_of(flags);
  plan.session = flags.model.session();
  for (const int asked : flags.threads) {
    const int threads = asked > 0 ? asked : physical_cores();
    if (std::find(plan.threads.begin(), plan.threads.end(), threads) == plan.threads.end()) {
      plan.threads.push_back(threads);
    }
  }
  plan.models = load_models(flags);
  plan.work = work_of(flags, *plan.models[0].model);
  plan.request = {*parse_pooling(flags.pooling), false};
  plan.repeats = flags.repeats;
  plan.peer_options = flags.peer_options;
  plan.peer_options.model = plan.models[0].model->folder;
  plan.peer_seconds = flags.peer_seconds;
  return plan;
}

BenchSetting setting_of(const BenchFlags& flags, const BenchPlan& plan) {
  const ModelConfig& config = plan.models[0].model->config;
  BenchSetting setting;
  setting.model = flags.model.model_id;
  setting.family = family_name(config.family);
  setting.longest_text = config.max_length();
  setting.dense_flops_per_token = dense_flops_per_token(config);
  setting.isa = isa_name(current_isa());
  setting.gemm_library = gemm_library_version();
  setting.pooling = flags.pooling;
  if (config.family == Family::kM2Bert) {
    setting.filter_cache_bytes = static_cast<int64_t>(plan.session.filter_cache_bytes);
    setting.filter_cache_dtype = flags.model.filter_cache_dtype;
  }
  setting.repeats = flags.repeats;
  setting.peer_seconds = flags.peer_seconds;
  setting.documents = flags.documents;
  return setting;
}

// A file that was asked for, or null; a wrong path is told before hours of timing.
std::unique_ptr<OutputFile> open_file(const std::string& path) {
  if (path.empty()) return nullptr;
  return std::make_unique<OutputFile>(path, OutputFile::OnFailure::kRemove);
}

void finish(const std::unique_ptr<OutputFile>& file, const std::string& text) {
  file->stream() << text;
  file->commit();
}

void bench(const BenchFlags& flags) {
  const auto json = open_file(flags.json), svg = open_file(flags.svg);
  OutputFile output("", OutputFile::OnFailure::kRemove);
  const auto print = [&](const std::string& text) {
    output.stream() << text;
    output.flush();
  };
  const BenchPlan plan = plan_of(flags);
  const BenchSetting setting = setting_of(flags, plan);
  print(table_head(setting, shapes_of(plan)));
  int threads = 0;
  const BenchResult result = run_bench(plan, [&](const BenchResult& so_far, const BenchCell& cell) {
    const int now = so_far.series[cell.series].threads;
    if (now != threads) print(table_columns(now));
    threads = now;
    print(table_row(so_far, cell));
  });
  print(table_summary(result));
  if (json) finish(json, json_report(setting, result).dump(2) + "\n");
  if (svg) finish(svg, svg_report(setting, result));
}

void add_work(CLI::App& command, BenchFlags& flags) {
  const CLI::Range positive(int64_t{1}, int64_t{1} << 30);
  command
      .add_option("--lengths", flags.lengths,
                  "Tokens of the texts to time, of random ids; 128,512,2048,8192,32768 by default, "
                  "as far as the model goes")
      ->delimiter(',')
      ->check(positive);
  command.add_option("--batch", flags.batches, "Texts of that length computed together")
      ->delimiter(',')
      ->check(positive)
      ->capture_default_str();
  command.add_option("--documents", flags.documents,
                     "Also time the texts of this file in one call, lines or JSON lines with "
                     "\"text\"; without --lengths them alone");
  command
      .add_option("--cut", flags.cut, "Cut documents behind so many tokens, not at the model's end")
      ->check(CLI::Range(int64_t{3}, int64_t{1} << 30));
  command
      .add_option("--pooling", flags.pooling,
                  "mean; cls, whose last layer computes token 0 alone; or pooler, the model's head")
      ->check(CLI::IsMember({"mean", "cls", "pooler"}))
      ->capture_default_str();
  command.add_option("--repeats", flags.repeats, "Timings of each, after one to warm up")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

void add_settings(CLI::App& command, BenchFlags& flags) {
  flags.model.add_compute(command);
  command.remove_option(command.get_option("--threads"));  // here it is a list
  std::vector<std::string> dtypes;
  for (const DType dtype : kProductTypes) dtypes.emplace_back(dtype_name(dtype));
  command
      .add_option("--dtype", flags.dtypes,
                  "Number types of the large products, each a model of its own; the model's own by "
                  "default")
      ->delimiter(',')
      ->check(CLI::IsMember(dtypes))
      ->envname("M2_DTYPE");
  command
      .add_option("--threads", flags.threads,
                  "Numbers of threads to time one after the other; 0 is one a physical core")
      ->delimiter(',')
      ->check(CLI::Range(0, 1024))
      ->envname("M2_THREADS")
      ->capture_default_str();
  command.add_option("--json", flags.json, "File for the figures; docs/benchmarks.md describes it");
  command.add_option("--svg", flags.svg, "File for a chart of tokens a second against length");
}

void add_peers(CLI::App& command, BenchFlags& flags) {
  command
      .add_option(
          "--against", flags.peers,
          "Other programs to time in turn with this one, or all: " + join(known_peers(), ", "))
      ->delimiter(',');
  command.add_option("--python", flags.peer_options.python,
                     "Python of the peers; .venv/bin/python beside the baselines by default, else "
                     "python3");
  command.add_option("--baselines", flags.peer_options.baselines, "Folder of the peers' peer.py")
      ->capture_default_str();
  command
      .add_option("--peer-max-length", flags.peer_longest,
                  "NAME=LENGTH: a peer is not asked for longer texts")
      ->delimiter(',');
  command
      .add_option("--peer-seconds", flags.peer_seconds,
                  "A peer's timings of a length end after so many seconds, one at least")
      ->check(not_negative())
      ->capture_default_str();
  command
      .add_option("--peer-patience", flags.peer_options.patience,
                  "Seconds that a peer may take to start, and for an answer")
      ->check(above_zero())
      ->capture_default_str();
}

}  // namespace

void add_bench(CLI::App& app) {
  CLI::App* command = app.add_subcommand("bench", "Time the forward pass, alone or against others");
  const auto flags = std::make_shared<BenchFlags>();
  flags->model.add_model(*command);
  flags->model.add_tokenizer(*command);
  command->get_option("--model-id")->required(false);  // by its own sub-commands
  add_work(*command, *flags);
  add_settings(*command, *flags);
  add_peers(*command, *flags);
  add_bench_monarch(*command);
  add_bench_serve(*command);
  add_bench_train(*command);
  command->footer(
      "roofline is the model's dense work divided by the time and by oneDNN's best rate on a\n"
      "2048x2304x768 product (GFLOP/s), measured between the timings; first is the first run,\n"
      "which makes the filters' spectra.\n\n"
      "Examples:\n"
      "  m2 bench --model-id my-model --lengths 512,2048\n"
      "  m2 bench --model-id my-model --against all --json speed.json --svg speed.svg");
  command->callback([command, flags] {
    if (!command->get_subcommands().empty()) return;
    if (flags->model.model_id.empty()) throw CLI::RequiredError("--model-id");
    bench(*flags);
  });
}

}  // namespace m2
