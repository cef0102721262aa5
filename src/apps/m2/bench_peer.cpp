#include "apps/m2/bench_peer.h"

#include <array>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::array<const char*, 6> kPeers = {"m2-pytorch-published",  "m2-pytorch-compiled",
                                               "bert-pytorch-fp32",     "bert-pytorch-bf16",
                                               "bert-onnxruntime-fp32", "bert-onnxruntime-int8"};

constexpr size_t kLongestText = 200;  // bytes of what a peer says that are shown

// glibc's malloc told to keep its memory: where page faults are dear this is worth a factor to
// programs that allocate at every pass.
std::map<std::string, std::string> environment_of(int threads) {
  return {{"MALLOC_MMAP_MAX_", "0"},
          {"MALLOC_TRIM_THRESHOLD_", "100000000000"},
          {"MALLOC_TOP_PAD_", "500000000"},
          {"OMP_NUM_THREADS", std::to_string(threads)}};
}

std::string python_of(const PeerOptions& options) {
  if (!options.python.empty()) return options.python;
  const fs::path own = fs::path(options.baselines).parent_path() / ".venv/bin/python";
  return fs::exists(own) ? own.string() : "python3";
}

std::string script_of(const PeerOptions& options) {
  const fs::path script = fs::path(options.baselines) / "peer.py";
  if (!fs::exists(script)) {
    throw input_error(
        concat(script.string(), ": no such file; name the folder that holds it with --baselines"));
  }
  return script.string();
}

std::string text_of(const Json& object, const char* key) {
  if (!object.contains(key) || !object[key].is_string()) return "";
  return printable(object[key].get<std::string>(), kLongestText);
}

// 0 where there is none, and for what is no size or time.
double number_of(const Json& object, const char* key) {
  if (!object.contains(key) || !object[key].is_number()) return 0;
  const double value = object[key].get<double>();
  return value > 0 && value < 1e15 ? value : 0;
}

}  // namespace

// An object that a peer has written, or why there is none.
struct BenchPeer::Line {
  Json object;
  std::string problem;
};

std::vector<std::string> known_peers() {
  return {kPeers.begin(), kPeers.end()};
}

BenchPeer::BenchPeer(const std::string& name, int threads, const PeerOptions& options)
    : series_{name, name, "", "", threads, false}, patience_(options.patience) {
  const std::vector<std::string> arguments = {
      python_of(options),      script_of(options), name,         "--threads",
      std::to_string(threads), "--model",          options.model};
  try {
    process_ = std::make_unique<ChildProcess>(arguments, environment_of(threads));
  } catch (const Error& error) {
    throw Error(error.kind(), concat(error.what(), "; name a Python with --python"));
  }
  const Line line = read_object();
  const std::string error = line.problem.empty() ? text_of(line.object, "error") : line.problem;
  if (!error.empty()) {
    end(error);
    return;
  }
  series_.title = text_of(line.object, "title");
  series_.dtype = text_of(line.object, "dtype");
  series_.family = text_of(line.object, "family");
  if (series_.title.empty() || series_.dtype.empty()) {
    end("does not say its title and dtype: " + printable(line.object.dump()));
  }
}

BenchPeer::Answer BenchPeer::time(int64_t length, int64_t batch) {
  if (!problem_.empty()) return {0, 0, problem_};
  // Where it no longer reads, what it wrote last tells more than that.
  process_->write_line(Json{{"length", length}, {"batch", batch}}.dump());
  const Line line = read_object();
  if (!line.problem.empty()) return end(line.problem);
  const std::string error = text_of(line.object, "error");
  if (!error.empty()) return {0, 0, error};
  const double seconds = number_of(line.object, "seconds");
  if (!(seconds > 0)) {
    return end("answers without seconds above 0: " + printable(line.object.dump()));
  }
  return {seconds, static_cast<int64_t>(number_of(line.object, "peak_bytes")), ""};
}

BenchPeer::Line BenchPeer::read_object() {
  std::string text;
  switch (process_->read_line(patience_, text)) {
    case ChildProcess::Answer::kTimeout:
      return {{}, concat("no answer within ", patience_, " s (--peer-patience)")};
    case ChildProcess::Answer::kEnd: {
      const std::string how = process_->how_it_ended(), words = process_->last_words();
      return {{},
              concat("ended", how.empty() ? "" : ", " + how,
                     words.empty() ? "" : ": " + printable(words, kLongestText))};
    }
    case ChildProcess::Answer::kLine:
      break;
  }
  Json object = Json::parse(text, nullptr, false);
  if (!object.is_object()) return {{}, "answers no JSON object: " + printable(text)};
  return {std::move(object), ""};
}

BenchPeer::Answer BenchPeer::end(const std::string& problem) {
  problem_ = problem;
  process_.reset();
  return {0, 0, problem_};
}

}  // namespace m2
