// train/config: what `m2 train mlm CONFIG.yaml` is asked to do, from YAML in the form of the
// research code. A part of train that knows no torch. Uses config and core.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/model_config.h"
#include "train/config/duration.h"

namespace m2 {

// One source of samples: the shards in LOCAL/SPLIT.
struct DataStream {
  std::string name;   // the key under `streams`; empty for the loader's only source
  std::string local;  // folder
  std::string split;  // folder in it; empty: `local` itself
  // How much of the stream an epoch takes; at most one is set, none: every sample once. Where one
  // stream has a proportion all have.
  std::optional<double> proportion;  // share of the epoch, relative to the other streams'
  std::optional<double> repeat;      // times the stream's own samples
  std::optional<int64_t> samples;

  bool operator==(const DataStream&) const = default;
};

struct LoaderConfig {
  std::vector<DataStream> streams;  // at least one
  int64_t samples_per_epoch = 0;    // with proportions; 0: as many as the streams have in all
  bool shuffle = false;
  // What an epoch's order depends on, beside the data; not stated: TrainConfig::seed.
  std::optional<uint64_t> shuffle_seed;
  double mlm_probability = 0.15;  // share of tokens that are labelled, above 0, below 1
  bool drop_last = true;          // an epoch's last batch is left out where it is not full

  bool operator==(const LoaderConfig&) const = default;
};

enum class OptimizerKind : uint8_t {
  kDecoupledAdamW,  // p ← p·(1 − lr/lr₀·wd), lr₀ the group's peak
  kAdamW            // p ← p·(1 − lr·wd)
};
// "decoupled_adamw", "adamw".
const char* optimizer_name(OptimizerKind kind);

enum class ParameterGroups : uint8_t {
  kPublished,  // one group, as the published models were trained
  kDeclared    // filters and pos_emb.z apart, with the rates and decays that ModelConfig holds
};
// "published", "declared".
const char* parameter_groups_name(ParameterGroups groups);

struct OptimizerConfig {
  OptimizerKind kind = OptimizerKind::kDecoupledAdamW;
  double lr = 0;  // peak; above 0
  double beta1 = 0.9, beta2 = 0.98;
  double eps = 1e-6;
  double weight_decay = 1e-5;
  ParameterGroups parameter_groups = ParameterGroups::kPublished;
  bool freeze_pad_row =
      false;  // row 0 of the word embeddings learns from the decoder alone, not as an input

  bool operator==(const OptimizerConfig&) const = default;
};

enum class SchedulerKind : uint8_t { kLinearDecay, kCosine, kConstant };
// "linear_decay_with_warmup", "cosine_with_warmup", "constant_with_warmup".
const char* scheduler_name(SchedulerKind kind);

// The factor of the peak rate at step s, w = t_warmup and T = t_max in steps:
// s < w: s/w; then, with x = min(1, (s − w)/(T − w)),
// linear 1 + (alpha_f − 1)·x, cosine alpha_f + (1 − alpha_f)·(1 + cos πx)/2, constant 1.
struct SchedulerConfig {
  SchedulerKind kind = SchedulerKind::kLinearDecay;
  Duration t_warmup{TimeUnit::kShare, 0, 0.06};
  double alpha_f = 0.02;
  Duration t_max{TimeUnit::kShare, 0, 1.0};

  bool operator==(const SchedulerConfig&) const = default;
};

enum class TrainPrecision : uint8_t { kFp32, kAmpBf16 };
// "fp32", "amp_bf16".
const char* train_precision_name(TrainPrecision precision);

// What the callbacks of the file switch on: names in metrics.jsonl, fields of the log line.
struct MonitorConfig {
  bool lr = false;                      // lr_monitor
  std::optional<int64_t> speed_window;  // speed_monitor: steps that the rate is a mean over
  bool memory = false;                  // memory_monitor
  bool optimizer = false;               // optimizer_monitor: norms of weights and moments
  bool runtime = false;                 // runtime_estimator
  bool tensorboard = true;              // event files beside metrics.jsonl
  bool progress_bar = true;             // drawn on a terminal alone
  bool log_to_console = false;          // a line on stderr every console_log_interval
  Duration console_log_interval{TimeUnit::kBatches, 1, 0};

  bool operator==(const MonitorConfig&) const = default;
};

struct SaveConfig {
  std::string folder = "runs/bert";                // save_folder, by default runs/RUN_NAME
  Duration interval{TimeUnit::kBatches, 1000, 0};  // save_interval
  int64_t last = -1;  // save_num_checkpoints_to_keep: the newest ones; -1: all
  int64_t best = 1;   // save_best_checkpoints_to_keep: those of lowest evaluation loss beside them
  bool overwrite = false;   // save_overwrite: a folder that holds another run is emptied first
  bool autoresume = false;  // go on from the newest whole checkpoint of `folder` if there is one

  bool operator==(const SaveConfig&) const = default;
};

// One pretraining. Members are complete and checked: no default is left to the reader.
struct TrainConfig {
  std::string run_name = "bert";
  uint64_t seed = 17;

  // The model to be made. Its vocab_size is the file's where vocab_size_stated, else that of
  // bert-base-uncased, and the trainer puts the vocabulary's own in its place. `padding` is the
  // contract that the model is trained under.
  ModelConfig model;
  bool vocab_size_stated = false;
  int64_t max_seq_len = 0;  // of a sample in tokens with the special ones; ≤ model.max_length()
  // Recompute a layer's activations in the backward pass: `activation_checkpointing`, or the
  // research code's name, model.gradient_checkpointing.
  bool activation_checkpointing = false;

  std::string tokenizer_name;  // a name, a vocabulary file or a model folder
  std::string vocab;           // the vocabulary file or model folder of a tokenizer that is a name

  LoaderConfig train;
  std::optional<LoaderConfig> evaluation;  // none: training goes without

  OptimizerConfig optimizer;
  SchedulerConfig scheduler;
  std::optional<double> clip_norm;  // gradient_clipping, of the global L2 norm; none: no clipping
  TrainPrecision precision = TrainPrecision::kFp32;

  Duration max_duration;
  Duration eval_interval{TimeUnit::kEpochs, 1, 0};
  int64_t eval_subset_num_batches = -1;  // of an evaluation; -1: all
  int64_t global_train_batch_size = 0;   // samples an optimiser step
  int64_t global_eval_batch_size = 0;    // samples a batch of eval_subset_num_batches
  std::optional<int64_t> device_train_microbatch_size;  // none: "auto", the largest that fits
  // Samples a forward pass of an evaluation; none: as the training's micro-batch.
  std::optional<int64_t> device_eval_batch_size;
  // Training stops where the mean loss of late steps is this much above the lowest it has been,
  // in nats; 0: never. A loss that is no number stops it always.
  double divergence_margin = 2;

  // A checkpoint folder (…/step-N) or run to go on from, or, with load_weights_only, also a model
  // folder or file of weights whose values a new run starts with; empty: none.
  std::string load_path;
  bool load_weights_only = false;

  MonitorConfig monitors;
  SaveConfig save;

  std::string source;                 // the file it came from
  std::vector<std::string> warnings;  // keys of no effect here, a whole line each
};

// The configuration in the YAML file `path`, `overrides` ("key=value", dotted keys, the value as
// YAML, `key=` for none) put in place first and ${…} resolved then, as OmegaConf does both.
//
// Throws Error(kInput), one line with file and key, for what is missing, malformed, repeated or
// out of range; for a key that is not known, with the nearest that is, unless a ${…} uses it or it
// is known to have no effect; for a file that configures something else than MLM pretraining,
// saying what. Error(kUsage) for an override that is not of the form key=value.
TrainConfig load_train_config(const std::string& path,
                              const std::vector<std::string>& overrides = {});

// The same from the contents of that file.
TrainConfig parse_train_config(const std::string& text, const std::string& path,
                               const std::vector<std::string>& overrides = {});

// A complete YAML file that loads back to the same configuration, for --dump-config.
std::string to_yaml(const TrainConfig& config);

// The vocabulary file or model folder that texts are tokenized with: `vocab`, else tokenizer_name
// where that is a path that exists. Throws Error(kInput) where it is a mere name.
std::string tokenizer_path(const TrainConfig& config);

}  // namespace m2
