#include <algorithm>
#include <filesystem>
#include <set>

#include "config/interpolation.h"
#include "config/json_reader.h"
#include "config/load_config.h"
#include "config/yaml_reader.h"
#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"
#include "train/config/keys.h"
#include "train/config/overrides.h"
#include "train/config/read_loaders.h"
#include "train/config/section.h"
#include "train/config/train_config.h"

namespace m2 {
namespace {

constexpr int64_t kLargestBatch = int64_t{1} << 24;  // samples: far above any real one
const char kRunName[] = "{run_name}";

// What the file's own ${…} ask for, as far as it is there: a variable stays one where an override
// has taken its place.
std::set<std::string> names_used(const Value& file, const std::string& source) {
  Interpolation interpolation(file, source);
  const auto visit = [&](const auto& self, const Value& value) -> void {
    for (const Value& item : value.items) self(self, item);
    for (const ValueMember& member : value.members) self(self, member.value);
    if (value.kind != Value::Kind::kText) return;
    try {
      interpolation.resolve(value);
    } catch (const Error&) {
      return;  // an override may mend it; what is left is seen when the whole is resolved
    }
  };
  visit(visit, file);
  return interpolation.names();
}

// Keys that only files of other kinds hold.
void refuse_other_tasks(const Value& root, const std::string& source) {
  const auto refuse = [&](const char* key, const char* what) {
    if (root.find(key) == nullptr) return;
    throw input_error(concat(source, ": its key ", key, " makes it a configuration of ", what,
                             "; `m2 train mlm` takes one of masked pretraining"));
  };
  refuse("tasks", "fine-tuning on GLUE");
  refuse("evaluation_max_seq_len", "retrieval training");
  refuse("gather_sentence_embeddings", "retrieval training");
}

// One meaning under several names: the first that is stated, and no other than that.
class Agreement {
 public:
  void add(Section section, const std::string& key) {
    if (!section.has(key)) return;
    const std::string stated = section.text(key, "");
    if (value_.empty()) {
      value_ = stated;
      where_ = section.name(key);
    } else if (stated != value_) {
      section.refuse(key, concat("is \"", printable(stated), "\", but ", where_, " is \"",
                                 printable(value_), "\": one tokenizer serves both"));
    }
  }
  const std::string& value() const { return value_; }

 private:
  std::string value_, where_;
};

std::string read_tokenizer(Section& top, const std::string& source) {
  Agreement names;
  names.add(top, "tokenizer_name");
  names.add(top.section("model"), "tokenizer_name");
  for (const char* loader : {"train_loader", "eval_loader"}) {
    names.add(top.section(loader).section("dataset"), "tokenizer_name");
  }
  if (!names.value().empty()) return names.value();
  throw input_error(source +
                    ": the key tokenizer_name is missing: a name, a vocabulary file or a folder");
}

int64_t read_length(Section& top, const ModelConfig& model) {
  constexpr int64_t kLongest = int64_t{1} << 30;
  int64_t length = top.integer("max_seq_len", model.max_length(), 3, kLongest);
  Section train = top.section("train_loader").section("dataset");
  length = train.integer("max_seq_len", length, 3, kLongest);
  Section eval = top.section("eval_loader").section("dataset");
  if (eval.integer("max_seq_len", length, 3, kLongest) != length) {
    eval.refuse("max_seq_len", concat("must be ", length, ", as in training"));
  }
  if (length > model.max_length()) {
    top.refuse("max_seq_len", concat("is ", length, ", more than the model's ", model.max_length(),
                                     " tokens: make them agree"));
  }
  return length;
}

void read_betas(const Section& section, OptimizerConfig& result) {
  if (!section.has("betas")) return;
  const Value& betas = *section.map().find("betas");
  std::vector<double> numbers;
  for (const Value& item : betas.items) {
    const bool whole = item.kind == Value::Kind::kInteger;
    const double number = whole ? static_cast<double>(item.integer) : item.real;
    const bool is_number = whole || item.kind == Value::Kind::kReal;
    if (is_number && number >= 0 && number < 1) numbers.push_back(number);
  }
  if (betas.items.size() != 2 || numbers.size() != 2) {
    section.refuse("betas", "must be two numbers from 0 to below 1, as [0.9, 0.98]");
  }
  result.beta1 = numbers[0];
  result.beta2 = numbers[1];
}

OptimizerConfig read_optimizer(Section section) {
  OptimizerConfig result;
  result.kind = section.choice("name", result.kind, optimizer_name,
                               {OptimizerKind::kDecoupledAdamW, OptimizerKind::kAdamW});
  section.require("lr", "the peak learning rate, 8e-4 for most published models");
  result.lr = section.positive("lr", 0, 1e3);
  read_betas(section, result);
  result.eps = section.positive("eps", result.eps, 1);
  result.weight_decay = section.number("weight_decay", result.weight_decay, 0, 1e3);
  result.parameter_groups =
      section.choice("parameter_groups", result.parameter_groups, parameter_groups_name,
                     {ParameterGroups::kPublished, ParameterGroups::kDeclared});
  result.freeze_pad_row = section.flag("freeze_pad_row", false);
  return result;
}

SchedulerConfig read_scheduler(Section section) {
  SchedulerConfig result;
  result.kind = section.choice(
      "name", result.kind, scheduler_name,
      {SchedulerKind::kLinearDecay, SchedulerKind::kCosine, SchedulerKind::kConstant});
  result.t_warmup = section.duration("t_warmup", result.t_warmup);
  result.alpha_f = section.number("alpha_f", result.alpha_f, 0, 1e3);
  result.t_max = section.interval("t_max", result.t_max);
  return result;
}

std::optional<double> read_clipping(const Section& algorithms) {
  for (const char* other : {"alibi", "gated_linear_units"}) {
    if (algorithms.map().find(other) == nullptr) continue;
    algorithms.refuse(other, "changes the model: say it in model.model_config instead");
  }
  if (!algorithms.has("gradient_clipping")) return std::nullopt;
  Section clipping = algorithms.section("gradient_clipping");
  clipping.only("clipping_type", "norm");
  clipping.require("clipping_threshold", "1.0 in the published runs");
  return clipping.positive("clipping_threshold", 0, 1e12);
}

// `lr_monitor: {}`, `lr_monitor:` and `lr_monitor: true` are all meant as on.
bool is_on(const Section& section, const std::string& key) {
  const Value* found = section.map().find(key);
  if (found == nullptr) return false;
  return found->kind != Value::Kind::kBool || found->boolean;
}

MonitorConfig read_monitors(Section& top) {
  MonitorConfig result;
  const Section callbacks = top.section("callbacks");
  result.lr = is_on(callbacks, "lr_monitor");
  result.memory = is_on(callbacks, "memory_monitor");
  result.optimizer = is_on(callbacks, "optimizer_monitor");
  result.runtime = is_on(callbacks, "runtime_estimator");
  if (is_on(callbacks, "speed_monitor")) {
    const Value* stated = callbacks.map().find("speed_monitor");
    const bool plain = stated->kind == Value::Kind::kBool;
    Section speed = plain ? Section(nullptr, "", "") : callbacks.section("speed_monitor");
    result.speed_window = speed.integer("window_size", 1, 1, 1000000);
  }
  result.tensorboard = top.flag("tensorboard", result.tensorboard);
  result.progress_bar = top.flag("progress_bar", result.progress_bar);
  result.log_to_console = top.flag("log_to_console", result.log_to_console);
  result.console_log_interval = top.interval("console_log_interval", result.console_log_interval);
  return result;
}

std::string with_run_name(std::string path, const std::string& run_name) {
  for (size_t at = path.find(kRunName); at != path.npos; at = path.find(kRunName, at)) {
    path.replace(at, sizeof(kRunName) - 1, run_name);
    at += run_name.size();
  }
  return path;
}

SaveConfig read_saving(Section& top, const std::string& run_name) {
  constexpr int64_t kMany = 1000000;
  SaveConfig result;
  result.folder = with_run_name(top.text("save_folder", concat("runs/", kRunName)), run_name);
  if (result.folder.empty()) top.refuse("save_folder", "is empty, must be a folder");
  result.interval = top.interval("save_interval", result.interval);
  result.last = top.integer("save_num_checkpoints_to_keep", result.last, -1, kMany);
  result.best = top.integer("save_best_checkpoints_to_keep", result.best, 0, kMany);
  result.overwrite = top.flag("save_overwrite", false);
  result.autoresume = top.flag("autoresume", false);
  return result;
}

void read_start(Section& top, TrainConfig& config) {
  Section model = top.section("model");
  if (model.flag("use_pretrained", false)) {
    model.refuse("use_pretrained",
                 "is true, but weights are not downloaded: name a folder, "
                 "load_path=FOLDER load_weights_only=true");
  }
  config.load_path = with_run_name(top.text("load_path", ""), config.run_name);
  config.load_weights_only = top.flag("load_weights_only", false);
  if (config.load_weights_only && config.load_path.empty()) {
    top.refuse("load_weights_only", "is set without load_path: say whose weights");
  }
  const std::string weights = model.text("pretrained_checkpoint", "");
  if (weights.empty()) return;
  if (!config.load_path.empty()) {
    model.refuse("pretrained_checkpoint", "is set beside load_path: keep one of them");
  }
  config.load_path = weights;
  config.load_weights_only = true;
}

void read_batches(Section& top, TrainConfig& config) {
  top.require("global_train_batch_size", "samples an optimiser step");
  config.global_train_batch_size = top.integer("global_train_batch_size", 0, 1, kLargestBatch);
  config.global_eval_batch_size =
      top.integer("global_eval_batch_size", config.global_train_batch_size, 1, kLargestBatch);
  const Value* micro = top.map().find("device_train_microbatch_size");
  const bool automatic = !top.has("device_train_microbatch_size") || micro->text == "auto";
  if (!automatic) {
    config.device_train_microbatch_size =
        std::min(top.integer("device_train_microbatch_size", 0, 1, kLargestBatch),
                 config.global_train_batch_size);
  }
  if (top.has("device_eval_batch_size")) {
    config.device_eval_batch_size = top.integer("device_eval_batch_size", 0, 1, kLargestBatch);
  }
  config.precision = top.choice("precision", config.precision, train_precision_name,
                                {TrainPrecision::kFp32, TrainPrecision::kAmpBf16});
  config.divergence_margin = top.number("divergence_margin", config.divergence_margin, 0, 1e6);
}

void read_length_of_training(Section& top, TrainConfig& config) {
  top.require("max_duration", "the length of the training, 70000ba or 1ep for example");
  config.max_duration = top.interval("max_duration", {});
  if (config.max_duration.unit == TimeUnit::kShare) {
    top.refuse("max_duration", "is a share of itself: give batches, samples or epochs");
  }
  config.eval_interval = top.interval("eval_interval", config.eval_interval);
  config.eval_subset_num_batches = top.integer("eval_subset_num_batches", -1, -1, kLargestBatch);
  if (config.eval_subset_num_batches == 0) {
    top.refuse("eval_subset_num_batches", "is 0, must be -1 or above 0");
  }
}

std::vector<std::string> keys_of(const std::string& json) {
  std::vector<std::string> keys;
  for (const ValueMember& member : parse_json(json, "").members) keys.push_back(member.key);
  return keys;
}

// Every key that a model may have, whatever its family.
std::vector<std::string> known_model_keys() {
  ModelConfig config;
  config.family = Family::kM2Bert;
  config.pooling_stated = true;
  return keys_of(to_json(config));
}

void read_model(Section& top, const Value& root, TrainConfig& config) {
  Section section = top.section("model");
  const std::string name = section.text("name", "bert");
  if (name != "bert" && name != "hf_bert" && name != "mosaic_bert") {
    section.refuse("name", concat("is \"", printable(name), "\", must be bert or hf_bert"));
  }
  config.model = training_model_config(root, config.source);
  config.vocab_size_stated = section.section("model_config").has("vocab_size");
  const auto warnings =
      check_model_keys(config.model.ignored_keys, known_model_keys(), root, config.source);
  config.warnings.insert(config.warnings.end(), warnings.begin(), warnings.end());
  const Padding padding = top.choice("padding", config.model.padding, padding_name,
                                     {Padding::kMaxLength, Padding::kNone});
  if (config.model.padding_stated && padding != config.model.padding) {
    top.refuse("padding", concat("is ", padding_name(padding),
                                 ", but model.model_config "
                                 "says ",
                                 padding_name(config.model.padding)));
  }
  config.model.padding_stated = config.model.padding_stated || top.has("padding");
  config.model.padding = padding;
  const bool twice = section.flag("gradient_checkpointing", false);
  config.activation_checkpointing = top.flag("activation_checkpointing", twice);
}

void read_loaders(Section& top, TrainConfig& config) {
  const std::string local = top.text("data_local", "");
  const double masked = top.positive("mlm_probability", 0.3, 1);
  config.train = read_loader(top.section("train_loader"), local, true, masked);
  if (top.has("eval_loader")) {
    config.evaluation = read_loader(top.section("eval_loader"), local, false, 0.15);
    if (config.evaluation->shuffle) {
      config.warnings.push_back(
          concat(config.source,
                 ": eval_loader.dataset.shuffle has no effect: an evaluation takes "
                 "samples in the data's order"));
    }
  }
}

void warn_of_lengths(TrainConfig& config) {
  if (config.model.padding != Padding::kMaxLength ||
      config.max_seq_len == config.model.max_length()) {
    return;
  }
  config.warnings.push_back(concat(config.source, ": samples are padded to max_seq_len ",
                                   config.max_seq_len, ", texts later to the model's ",
                                   config.model.max_length(),
                                   ": vectors will differ from the trained ones"));
}

}  // namespace

TrainConfig parse_train_config(const std::string& text, const std::string& path,
                               const std::vector<std::string>& overrides) {
  Value stated = parse_yaml(text, path);
  std::set<std::string> variables = names_used(stated, path);
  if (stated.kind == Value::Kind::kMap || stated.kind == Value::Kind::kNull) {
    apply_overrides(stated, overrides);
  }
  refuse_other_tasks(stated, path);
  Interpolation interpolation(stated, path);
  const Value root = interpolation.resolve(stated);
  Section top(&root, path, "");
  TrainConfig config;
  config.source = path;
  variables.insert(interpolation.names().begin(), interpolation.names().end());
  config.warnings = check_keys(root, variables, path);
  read_model(top, root, config);
  config.run_name = top.text("run_name", config.run_name);
  config.seed = static_cast<uint64_t>(top.integer("seed", 17, 0, INT64_MAX));
  config.tokenizer_name = read_tokenizer(top, path);
  config.vocab = top.text("vocab", "");
  config.max_seq_len = read_length(top, config.model);
  read_loaders(top, config);
  config.optimizer = read_optimizer(top.section("optimizer"));
  config.scheduler = read_scheduler(top.section("scheduler"));
  config.clip_norm = read_clipping(top.section("algorithms"));
  read_length_of_training(top, config);
  read_batches(top, config);
  read_start(top, config);
  config.monitors = read_monitors(top);
  config.save = read_saving(top, config.run_name);
  warn_of_lengths(config);
  return config;
}

TrainConfig load_train_config(const std::string& path, const std::vector<std::string>& overrides) {
  return parse_train_config(read_text_file(path, kMaxConfigBytes), path, overrides);
}

std::string tokenizer_path(const TrainConfig& config) {
  const std::string& path = config.vocab.empty() ? config.tokenizer_name : config.vocab;
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return path;
  const bool name = config.vocab.empty() && path.find('/') == std::string::npos;
  throw input_error(name ? concat(config.source, ": tokenizer_name \"", printable(path),
                                  "\" is a name: add vocab=FILE, its vocab.txt or a model's folder")
                         : concat(config.source, ": ",
                                  config.vocab.empty() ? "tokenizer_name" : "vocab", " \"",
                                  printable(path), "\": no such file or folder"));
}

}  // namespace m2
