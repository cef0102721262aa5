#include "train/loop/resume.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "config/value.h"
#include "config/yaml_reader.h"
#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "tokenizer/vocabulary_files.h"
#include "train/loop/run_checkpoint.h"

namespace m2::train {
namespace {

namespace fs = std::filesystem;

// Dotted keys and their values.
void flatten(const Value& value, const std::string& prefix,
             std::map<std::string, std::string>& out) {
  if (value.kind == Value::Kind::kMap) {
    for (const ValueMember& member : value.members) {
      flatten(member.value, prefix.empty() ? member.key : prefix + "." + member.key, out);
    }
  } else if (value.kind == Value::Kind::kList) {
    for (size_t i = 0; i < value.items.size(); ++i) {
      flatten(value.items[i], concat(prefix, ".", i), out);
    }
  } else {
    out[prefix] = value.describe();
  }
}

std::map<std::string, std::string> settings_of(const std::string& yaml) {
  std::map<std::string, std::string> settings;
  flatten(parse_yaml(yaml, "configuration"), "", settings);
  return settings;
}

// Names, places, reports and what changes no bit; data and micro-batch are told apart.
bool has_no_effect(const std::string& key) {
  constexpr auto kBegins = std::to_array<std::string_view>(
      {"run_name", "save_", "autoresume", "load_", "callbacks", "progress_bar", "log_to_",
       "console_", "tensorboard", "eval", "tokenizer", "vocab", "device_",
       "activation_checkpointing", "divergence_margin"});
  const bool place = key.ends_with(".local") || key.ends_with(".split");
  return place || std::any_of(kBegins.begin(), kBegins.end(),
                              [&](std::string_view begin) { return key.starts_with(begin); });
}

void tell_differences(const TrainConfig& config, const RunState& state, const fs::path& folder,
                      const std::vector<DataIdentity>& data, const Surroundings& surroundings) {
  const std::string other = describe_difference(surroundings, state.surroundings);
  if (!other.empty()) {
    log_warning(concat(folder.string(), ": was computed elsewhere (", other,
                       "): from here on the bits are not those of a run without a stop"));
  }
  const std::string settings = settings_difference(to_yaml(config), state.configuration);
  if (!settings.empty()) {
    log_warning(concat(folder.string(), ": was trained with other settings of ", settings));
  }
  if (data != state.data) log_warning(concat(folder.string(), ": was trained on other data"));
}

// Whether the learning rate depends on how long the whole training is.
bool rate_depends_on_duration(const std::map<std::string, std::string>& settings) {
  for (const char* key : {"scheduler.t_warmup", "scheduler.t_max"}) {
    const auto found = settings.find(key);
    if (found != settings.end() && found->second.find("dur") != std::string::npos) return true;
  }
  return false;
}

// The checkpoint that load_path means: a folder step-N, or the newest of a run; none where it is a
// model.
std::optional<fs::path> checkpoint_of(const fs::path& path) {
  std::error_code ignored;  // what cannot be looked at is read next, and named then
  if (fs::exists(path / kStateFile, ignored)) return path;
  const auto newest = CheckpointStore(path / "checkpoints").newest_whole();
  if (!newest) return std::nullopt;
  return newest->folder;
}

// Where a vocabulary lies beside the weights their token ids must mean what ours do.
void check_vocabulary(const fs::path& folder, const Vocabulary& ours) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored) || vocabulary_files(folder.string()).empty()) return;
  const Vocabulary theirs = vocabulary_of(Tokenizer::load(folder.string()));
  if (theirs.hash == ours.hash) return;
  throw input_error(concat(folder.string(), ": was trained with another vocabulary (", theirs.size,
                           " tokens) than tokenizer_name's (", ours.size, ")"));
}

}  // namespace

std::string settings_difference(const std::string& now, const std::string& saved) {
  const auto ours = settings_of(now), theirs = settings_of(saved);
  std::set<std::string> keys;
  for (const auto& [key, value] : ours) {
    const auto other = theirs.find(key);
    if (other == theirs.end() || other->second != value) keys.insert(key);
  }
  for (const auto& [key, value] : theirs) {
    if (ours.count(key) == 0) keys.insert(key);
  }
  std::vector<std::string> named;
  for (const std::string& key : keys) {
    const bool idle = key == "max_duration" && !rate_depends_on_duration(ours);
    if (!idle && !has_no_effect(key)) named.push_back(key);
  }
  return join(named, ", ");
}

std::optional<Restored> restore(const TrainConfig& config, const CheckpointStore& store,
                                const SampleBatches& batches, const Surroundings& surroundings,
                                Trainer& trainer) {
  std::optional<fs::path> folder;
  if (config.save.autoresume) {
    if (const auto newest = store.newest_whole()) folder = newest->folder;
  }
  const bool from_store = folder.has_value();
  if (!folder && !config.load_path.empty()) {
    if (!config.load_weights_only) folder = checkpoint_of(config.load_path);
    if (!folder) {
      const fs::path weights = checkpoint_of(config.load_path).value_or(config.load_path);
      read_weights(weights.string(), trainer.model());
      check_vocabulary(weights, batches.vocabulary());
      if (!config.load_weights_only) {
        log_warning(
            concat(config.load_path, ": holds weights alone; the training begins at step 0"));
      }
      return std::nullopt;
    }
  }
  if (!folder) return std::nullopt;
  RunState state = read_run_checkpoint(*folder, trainer.model(), trainer.optimizer());
  check_vocabulary(*folder, batches.vocabulary());
  tell_differences(config, state, *folder, batches.data(), surroundings);
  return Restored{std::move(state), from_store};
}

}  // namespace m2::train
