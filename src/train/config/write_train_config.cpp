#include <array>
#include <charconv>

#include "config/json_reader.h"
#include "config/load_config.h"
#include "core/error.h"
#include "core/text.h"
#include "train/config/train_config.h"

namespace m2 {
namespace {

std::string spelled(bool value) {
  return value ? "true" : "false";
}

std::string spelled(int64_t value) {
  return std::to_string(value);
}

std::string spelled(uint64_t value) {
  return std::to_string(value);
}

// The shortest digits that read back the same.
std::string spelled(double value) {
  std::array<char, 32> text{};
  const auto [end, problem] = std::to_chars(text.data(), text.data() + text.size(), value);
  M2_CHECK(problem == std::errc());
  return std::string(text.data(), end);
}

std::string spelled(const Duration& value) {
  return duration_spelling(value);
}

// In double quotes. A "$" is written as its number, so that no ${ is read into the text.
std::string spelled(const std::string& text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += concat("\\", c);
    } else if (byte < 0x20 || byte == 0x7F || c == '$') {
      out += concat("\\x", kDigits[byte / 16], kDigits[byte % 16]);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string spelled(const char* text) {
  return spelled(std::string(text));
}

std::string spelled(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kBool:
      return spelled(value.boolean);
    case Value::Kind::kInteger:
      return spelled(value.integer);
    case Value::Kind::kReal:
      return spelled(value.real);
    default:
      return spelled(value.text);
  }
}

// Lines "key: value", maps indented.
class YamlText {
 public:
  template <class Type>
  void line(const std::string& key, const Type& value) {
    text_ += concat(indent(), key, ": ", spelled(value), "\n");
  }
  void plain(const std::string& key, const std::string& value) {
    text_ += concat(indent(), key, ": ", value, "\n");
  }
  template <class Body>
  void map(const std::string& key, const Body& body) {
    text_ += concat(indent(), key, ":\n");
    ++depth_;
    body();
    --depth_;
  }
  const std::string& text() const { return text_; }

 private:
  std::string indent() const { return std::string(2 * depth_, ' '); }

  std::string text_;
  size_t depth_ = 0;
};

void write_model(const TrainConfig& config, YamlText& out) {
  out.map("model", [&] {
    out.line("name", config.model.family == Family::kBert ? "hf_bert" : "bert");
    out.line("pretrained_model_name", "bert-base-uncased");
    out.map("model_config", [&] {
      for (const auto& [key, value] : parse_json(to_json(config.model), "").members) {
        if (key == "padding" || (key == "vocab_size" && !config.vocab_size_stated)) continue;
        out.line(key, value);
      }
    });
  });
}

void write_stream(const DataStream& stream, YamlText& out) {
  out.line("local", stream.local);
  out.line("split", stream.split);
  if (stream.proportion) out.line("proportion", *stream.proportion);
  if (stream.repeat) out.line("repeat", *stream.repeat);
  if (stream.samples) out.line("samples", *stream.samples);
}

void write_dataset(const LoaderConfig& loader, YamlText& out) {
  const bool single = loader.streams.size() == 1 && loader.streams[0].name.empty();
  if (single) write_stream(loader.streams[0], out);
  if (!single) {
    out.map("streams", [&] {
      for (const DataStream& stream : loader.streams) {
        out.map(spelled(stream.name), [&] { write_stream(stream, out); });
      }
    });
  }
  if (loader.samples_per_epoch > 0) out.line("samples_per_epoch", loader.samples_per_epoch);
  out.line("shuffle", loader.shuffle);
  if (loader.shuffle_seed) out.line("shuffle_seed", *loader.shuffle_seed);
  out.line("mlm_probability", loader.mlm_probability);
}

void write_loader(const std::string& key, const LoaderConfig& loader, YamlText& out) {
  out.map(key, [&] {
    out.line("name", "text");
    out.map("dataset", [&] { write_dataset(loader, out); });
    out.line("drop_last", loader.drop_last);
  });
}

void write_optimisation(const TrainConfig& config, YamlText& out) {
  out.map("scheduler", [&] {
    out.line("name", scheduler_name(config.scheduler.kind));
    out.line("t_warmup", config.scheduler.t_warmup);
    out.line("alpha_f", config.scheduler.alpha_f);
    out.line("t_max", config.scheduler.t_max);
  });
  const OptimizerConfig& optimizer = config.optimizer;
  out.map("optimizer", [&] {
    out.line("name", optimizer_name(optimizer.kind));
    out.line("lr", optimizer.lr);
    out.plain("betas", concat("[", spelled(optimizer.beta1), ", ", spelled(optimizer.beta2), "]"));
    out.line("eps", optimizer.eps);
    out.line("weight_decay", optimizer.weight_decay);
    out.line("parameter_groups", parameter_groups_name(optimizer.parameter_groups));
    out.line("freeze_pad_row", optimizer.freeze_pad_row);
  });
  if (!config.clip_norm) return;
  out.map("algorithms", [&] {
    out.map("gradient_clipping", [&] {
      out.line("clipping_type", "norm");
      out.line("clipping_threshold", *config.clip_norm);
    });
  });
}

void write_length(const TrainConfig& config, YamlText& out) {
  out.line("max_duration", config.max_duration);
  out.line("eval_interval", config.eval_interval);
  out.line("eval_subset_num_batches", config.eval_subset_num_batches);
  out.line("global_train_batch_size", config.global_train_batch_size);
  out.line("global_eval_batch_size", config.global_eval_batch_size);
  if (config.device_train_microbatch_size) {
    out.line("device_train_microbatch_size", *config.device_train_microbatch_size);
  } else {
    out.line("device_train_microbatch_size", "auto");
  }
  if (config.device_eval_batch_size) {
    out.line("device_eval_batch_size", *config.device_eval_batch_size);
  }
  out.line("precision", train_precision_name(config.precision));
  out.line("divergence_margin", config.divergence_margin);
}

void write_monitors(const MonitorConfig& monitors, YamlText& out) {
  out.line("progress_bar", monitors.progress_bar);
  out.line("log_to_console", monitors.log_to_console);
  out.line("console_log_interval", monitors.console_log_interval);
  out.line("tensorboard", monitors.tensorboard);
  out.map("callbacks", [&] {
    out.line("lr_monitor", monitors.lr);
    if (monitors.speed_window) {
      out.map("speed_monitor", [&] { out.line("window_size", *monitors.speed_window); });
    }
    out.line("memory_monitor", monitors.memory);
    out.line("optimizer_monitor", monitors.optimizer);
    out.line("runtime_estimator", monitors.runtime);
  });
}

void write_saving(const TrainConfig& config, YamlText& out) {
  out.line("save_folder", config.save.folder);
  out.line("save_interval", config.save.interval);
  out.line("save_num_checkpoints_to_keep", config.save.last);
  out.line("save_best_checkpoints_to_keep", config.save.best);
  out.line("save_overwrite", config.save.overwrite);
  out.line("autoresume", config.save.autoresume);
  if (!config.load_path.empty()) out.line("load_path", config.load_path);
  out.line("load_weights_only", config.load_weights_only);
}

}  // namespace

const char* optimizer_name(OptimizerKind kind) {
  return kind == OptimizerKind::kDecoupledAdamW ? "decoupled_adamw" : "adamw";
}

const char* parameter_groups_name(ParameterGroups groups) {
  return groups == ParameterGroups::kPublished ? "published" : "declared";
}

const char* scheduler_name(SchedulerKind kind) {
  switch (kind) {
    case SchedulerKind::kLinearDecay:
      return "linear_decay_with_warmup";
    case SchedulerKind::kCosine:
      return "cosine_with_warmup";
    default:
      return "constant_with_warmup";
  }
}

const char* train_precision_name(TrainPrecision precision) {
  return precision == TrainPrecision::kFp32 ? "fp32" : "amp_bf16";
}

std::string to_yaml(const TrainConfig& config) {
  YamlText out;
  out.line("run_name", config.run_name);
  out.line("seed", config.seed);
  out.line("tokenizer_name", config.tokenizer_name);
  if (!config.vocab.empty()) out.line("vocab", config.vocab);
  out.line("max_seq_len", config.max_seq_len);
  out.line("padding", padding_name(config.model.padding));
  out.line("activation_checkpointing", config.activation_checkpointing);
  write_model(config, out);
  write_loader("train_loader", config.train, out);
  if (config.evaluation) write_loader("eval_loader", *config.evaluation, out);
  write_optimisation(config, out);
  write_length(config, out);
  write_monitors(config.monitors, out);
  write_saving(config, out);
  return out.text();
}

}  // namespace m2
