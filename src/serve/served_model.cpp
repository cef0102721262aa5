#include "serve/served_model.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "kernels/fft_plan.h"

namespace m2 {
namespace {

class Stopwatch {
 public:
  std::string seconds() const {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start_;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.2f s", passed.count());
    return text.data();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

void ServedModel::load() {
  const ModelFiles files = source_.files();
  const Stopwatch reading;
  model_ = load_model(files);
  tokenizer_ = std::make_unique<Tokenizer>(load_tokenizer(source_.tokenizer, *model_));
  session_ = std::make_unique<Session>(model_, source_.session);
  log_info(concat(name(), ": weights read in ", reading.seconds()));
  if (model_->config.padding == Padding::kMaxLength) warm_up();
  loaded_at_ = static_cast<int64_t>(std::time(nullptr));
  ready_.store(true, std::memory_order_release);
}

// Every text has the same length: its spectra are made before the first request, not for it.
void ServedModel::warm_up() {
  const Stopwatch making;
  TokenSequence sequence;
  sequence.ids = {0};
  sequence.types = {0};
  sequence.mask = {1};
  pad_to_contract(model_->config, sequence);
  session_->compute({&sequence, 1}, request_of(*model_, std::nullopt, std::nullopt),
                    [](const SequenceVectors&) {});
  log_info(concat(name(), ": a first text of ", sequence.ids.size(),
                  " tokens, filters included, in ", making.seconds()));
}

size_t ServedModel::length_class(size_t tokens) const {
  return model_->config.family == Family::kM2Bert ? transform_size(2 * tokens) : 0;
}

ServedModels::ServedModels(std::vector<ServedModel::Source> sources) {
  for (ServedModel::Source& source : sources) {
    for (const std::string& name : source.names) {
      if (find(name) != nullptr) {
        throw usage_error(concat("two models are called ", printable(name),
                                 "; give one another name with --alias"));
      }
    }
    models_.push_back(std::make_unique<ServedModel>(std::move(source)));
  }
  M2_CHECK(!models_.empty());
}

ServedModel* ServedModels::find(std::string_view name) const {
  for (const auto& model : models_) {
    const auto& names = model->names();
    if (std::find(names.begin(), names.end(), name) != names.end()) return model.get();
  }
  return nullptr;
}

bool ServedModels::ready() const {
  return std::all_of(models_.begin(), models_.end(), [](const auto& one) { return one->ready(); });
}

}  // namespace m2
