#include "apps/m2/bench_own.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fstream>

#include "apps/m2/text_source.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "config/flops.h"
#include "core/error.h"
#include "core/random.h"
#include "core/text.h"
#include "embedding/embedder.h"
#include "inference/estimate.h"
#include "ops/gemm/matmul.h"

namespace m2 {
namespace {

constexpr int kGemmRepeats = 5;  // of which a measurement of oneDNN's rate takes the best

// "VmRSS:   1234 kB" of /proc/self/status, in bytes; 0 where the system does not say it.
int64_t process_status(const std::string& key) {
  constexpr int64_t kKibi = 1024;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kibibytes = 0;
    if (word == key && status >> kibibytes) return kibibytes * kKibi;
  }
  return 0;
}

// Lets the system's count of the most that was resident begin anew. False where it does not.
bool restart_peak() {
  std::ofstream control("/proc/self/clear_refs");
  control << "5" << std::flush;
  return control.good();
}

void count_work(const ModelConfig& config, BenchWork& work) {
  BenchShape& shape = work.shape;
  shape.texts = static_cast<int64_t>(work.texts.size());
  for (const TokenSequence& text : work.texts) {
    const int64_t tokens = std::count(text.mask.begin(), text.mask.end(), 1);
    shape.tokens += tokens;
    shape.longest_text = std::max(shape.longest_text, tokens);
    shape.dense_flops += static_cast<double>(tokens) * dense_flops_per_token(config);
    shape.attention_flops +=
        static_cast<double>(tokens) * attention_flops_per_token(config, tokens);
  }
}

}  // namespace

int64_t resident_memory() {
  return process_status("VmRSS:");
}

BenchWork random_work(const ModelConfig& config, int64_t length, int64_t batch) {
  Random random(1, "bench");
  BenchWork work;
  work.shape.length = length;
  for (int64_t i = 0; i < batch; ++i) {
    TokenSequence& text = work.texts.emplace_back();
    for (int64_t token = 0; token < length; ++token) {
      text.ids.push_back(
          static_cast<int32_t>(random.bits() % static_cast<uint64_t>(config.vocab_size)));
    }
    text.types.assign(text.ids.size(), 0);
    text.mask.assign(text.ids.size(), 1);
  }
  count_work(config, work);
  return work;
}

BenchWork document_work(const std::string& path, const std::string& tokenizer_path,
                        const Model& model, int64_t most_tokens) {
  std::ifstream file(path);
  if (!file) throw input_error(concat(path, ": cannot be read"));
  const Tokenizer tokenizer = load_tokenizer(tokenizer_path, model);
  const auto source = texts_of_stream(file, InputFormat::kAuto, -1);
  EncodeOptions options;
  options.max_length = most_tokens;
  BenchWork work;
  try {
    while (const auto text = source->next()) {
      Encoding encoding = tokenizer.encode(text->named.text, options);
      work.shape.cut_texts += encoding.total_tokens > static_cast<int64_t>(encoding.ids.size());
      TokenSequence& sequence = work.texts.emplace_back();
      sequence.mask.assign(encoding.ids.size(), 1);
      sequence.ids = std::move(encoding.ids);
      sequence.types = std::move(encoding.type_ids);
      pad_to_contract(model.config, sequence);
    }
  } catch (const Error& error) {
    throw Error(error.kind(), concat(path, ": ", error.what()));
  }
  if (work.texts.empty()) throw input_error(concat(path, ": holds no text"));
  count_work(model.config, work);
  return work;
}

BenchRun::BenchRun(const BenchModel& model, const BenchWork& work, const VectorRequest& request,
                   const SessionOptions& options, BenchMemory& memory)
    : model_(model),
      work_(work),
      request_(request),
      memory_(memory),
      session_(model.model, options) {}

BenchRun::~BenchRun() {
  memory_.held -= held_bytes_;
}

void BenchRun::warm_up() {
  cell_.first_seconds = compute();
  warm_phases_ = session_.phase_seconds();
}

void BenchRun::time() {
  const double rate = measure_gemm_rate(model_.model->dtype, session_.threads(), kGemmRepeats);
  cell_.gemm_gflops = std::max(cell_.gemm_gflops, rate);
  cell_.seconds.push_back(compute());
  const PhaseSeconds phases = session_.phase_seconds();
  for (size_t i = 0; i < kPhases; ++i) cell_.phases[i] = phases[i] - warm_phases_[i];
}

double BenchRun::compute() {
  // Other models and their sessions share the process: what they hold is not this one's.
  const int64_t others = memory_.held - model_.bytes - held_bytes_;
  const int64_t before = resident_memory();
  const bool restarted = restart_peak();
  const auto start = std::chrono::steady_clock::now();
  session_.compute(
      work_.texts, request_, [](const SequenceVectors&) {},
      [](const Session::Done&) { return !interrupted(); });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const int64_t peak = restarted ? process_status("VmHWM:") - others : peak_memory();
  cell_.peak_bytes = std::max(cell_.peak_bytes, peak);
  const int64_t grown = resident_memory() - before;
  held_bytes_ += grown;
  memory_.held += grown;
  return seconds.count();
}

}  // namespace m2
