#include "train/loop/resume.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "config/value.h"
#include "config/yaml_reader.h"
#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
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

// Names, places, reports and what changes no bit; the micro-batch is told apart.
bool has_no_effect(const std::string& key) {
  constexpr auto kBegins = std::to_array<std::string_view>(
      {"run_name", "save_", "autoresume", "load_", "callbacks", "loggers", "progress_bar",
       "log_to_", "console_", "tensorboard", "eval", "tokenizer", "vocab", "device_", "data_local",
       "activation_checkpointing", "divergence_margin"});
  return std::any_of(kBegins.begin(), kBegins.end(), [&](std::string_view begin) {
    return key.compare(0, begin.size(), begin) == 0;
  });
}

void tell_differences(const TrainConfig& config, const RunState& state, const fs::path& folder,
                      const Surroundings& surroundings) {
  const std::string other = describe_difference(surroundings, state.surroundings);
  if (!other.empty()) {
    log_warning(concat(folder.string(), ": was computed elsewhere (", other,
                       "): from here on the bits are not those of a run without a stop"));
  }
  const std::string settings = settings_difference(to_yaml(config), state.configuration);
  if (!settings.empty()) {
    log_warning(concat(folder.string(), ": was trained with other settings of ", settings));
  }
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
  if (fs::exists(path / kStateFile)) return path;
  if (!fs::is_directory(path / "checkpoints")) return std::nullopt;
  const auto newest = CheckpointStore(path / "checkpoints").newest_whole();
  if (!newest) throw input_error(concat(path.string(), ": holds no whole checkpoint"));
  return newest->folder;
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

std::optional<RunState> restore(const TrainConfig& config, const CheckpointStore& store,
                                const Surroundings& surroundings, Trainer& trainer) {
  std::optional<fs::path> folder;
  if (config.save.autoresume) {
    if (const auto newest = store.newest_whole()) folder = newest->folder;
  }
  if (!folder && !config.load_path.empty()) {
    if (!config.load_weights_only) folder = checkpoint_of(config.load_path);
    if (!folder) {
      read_weights(checkpoint_of(config.load_path).value_or(config.load_path).string(),
                   trainer.model());
      if (!config.load_weights_only) {
        log_warning(
            concat(config.load_path, ": holds weights alone; the training begins at step 0"));
      }
      return std::nullopt;
    }
  }
  if (!folder) return std::nullopt;
  RunState state = read_run_checkpoint(*folder, trainer.model(), trainer.optimizer());
  tell_differences(config, state, *folder, surroundings);
  return state;
}

}  // namespace m2::train
