#include "train/config/train_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include "config/config_files.h"

#include "config/load_config.h"
#include "config/presets.h"
#include "core/text.h"

namespace m2 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A file in the research code's form, with its habits: ${…}, numbers as 1e-3, blank values.
const char kFile[] = R"(
data_local: ./my-data
data_remote:
max_seq_len: 128
tokenizer_name: bert-base-uncased
mlm_probability: 0.25
width: 64
run_name: a-run
model:
  name: bert
  pretrained_model_name: ${tokenizer_name}
  tokenizer_name: ${tokenizer_name}
  model_config:
    hidden_size: ${width}
    intermediate_size: 96
    num_hidden_layers: 2
    num_attention_heads: 4
    max_position_embeddings: ${max_seq_len}
    monarch_mixer_sequence_mixing: True
    long_conv_l_max: ${max_seq_len}
    long_conv_kernel_learning_rate: 1e-3
    hyena_w: 10
    hyena_emb_dim: 5
    use_monarch_mlp: True
    use_positional_encodings: True
train_loader:
  name: text
  dataset:
    local: ${data_local}
    remote:
    split: train
    tokenizer_name: ${tokenizer_name}
    max_seq_len: ${max_seq_len}
    shuffle: true
    mlm_probability: ${mlm_probability}
  drop_last: true
eval_loader:
  name: text
  dataset:
    local: ${data_local}
    split: val
    mlm_probability: 0.15
  drop_last: false
scheduler:
  name: linear_decay_with_warmup
  t_warmup: 0.06dur
  alpha_f: 0.02
optimizer:
  name: decoupled_adamw
  lr: 8.0e-4
  betas:
  - 0.9
  - 0.98
  eps: 1.0e-06
  weight_decay: 1.0e-5
algorithms:
  gradient_clipping: {
    clipping_type: 'norm',
    clipping_threshold: 1.0
  }
max_duration: 286720000sp
eval_interval: 2000ba
global_train_batch_size: 4096
seed: 17
device_eval_batch_size: 64
device_train_microbatch_size: 128
precision: amp_bf16
progress_bar: false
log_to_console: true
console_log_interval: 10ba
callbacks:
  speed_monitor:
    window_size: 500
  lr_monitor: {}
save_interval: 7000ba
save_num_checkpoints_to_keep: 10
save_folder: ./checkpoints/${run_name}
)";

TrainConfig read(const std::vector<std::string>& overrides = {}) {
  return parse_train_config(kFile, "train.yaml", overrides);
}

void expect_refused(const std::vector<std::string>& overrides, const std::string& part,
                    ErrorKind kind = ErrorKind::kInput) {
  SCOPED_TRACE(testing::PrintToString(overrides));
  expect_error(kind, part, [&] { read(overrides); });
}

TEST(TrainConfig, ReadsTheResearchCodesForm) {
  const TrainConfig config = read();
  EXPECT_THAT(config.warnings, IsEmpty());
  EXPECT_EQ(config.run_name, "a-run");
  EXPECT_EQ(config.seed, 17u);
  EXPECT_EQ(config.model.family, Family::kM2Bert);
  EXPECT_EQ(config.model.hidden_size, 64);
  EXPECT_EQ(config.model.long_conv_l_max, 128);
  EXPECT_EQ(config.model.padding, Padding::kMaxLength);
  EXPECT_FALSE(config.vocab_size_stated);
  EXPECT_EQ(config.max_seq_len, 128);
  EXPECT_EQ(config.tokenizer_name, "bert-base-uncased");
  DataStream train{"", "./my-data", "train", {}, {}, {}};
  EXPECT_EQ(config.train, (LoaderConfig{{train}, 0, true, std::nullopt, 0.25, true}));
  DataStream val{"", "./my-data", "val", {}, {}, {}};
  EXPECT_EQ(config.evaluation, (LoaderConfig{{val}, 0, false, std::nullopt, 0.15, false}));
  EXPECT_EQ(config.optimizer, (OptimizerConfig{OptimizerKind::kDecoupledAdamW, 8e-4, 0.9, 0.98,
                                               1e-6, 1e-5, ParameterGroups::kPublished, false}));
  EXPECT_EQ(config.scheduler, (SchedulerConfig{SchedulerKind::kLinearDecay,
                                               {TimeUnit::kShare, 0, 0.06},
                                               0.02,
                                               {TimeUnit::kShare, 0, 1}}));
  EXPECT_EQ(config.clip_norm, 1.0);
  EXPECT_EQ(config.precision, TrainPrecision::kAmpBf16);
  EXPECT_EQ(config.max_duration, (Duration{TimeUnit::kSamples, 286720000, 0}));
  EXPECT_EQ(config.eval_interval, (Duration{TimeUnit::kBatches, 2000, 0}));
  EXPECT_EQ(config.global_train_batch_size, 4096);
  EXPECT_EQ(config.global_eval_batch_size, 4096);
  EXPECT_EQ(config.device_train_microbatch_size, 128);
  EXPECT_EQ(config.device_eval_batch_size, 64);
  EXPECT_TRUE(config.monitors.lr);
  EXPECT_EQ(config.monitors.speed_window, 500);
  EXPECT_FALSE(config.monitors.memory);
  EXPECT_FALSE(config.monitors.progress_bar);
  EXPECT_TRUE(config.monitors.log_to_console);
  EXPECT_EQ(config.monitors.console_log_interval.count, 10);
  EXPECT_EQ(
      config.save,
      (SaveConfig{"./checkpoints/a-run", {TimeUnit::kBatches, 7000, 0}, 10, 1, false, false}));
}

TEST(TrainConfig, WhatIsSilentHasTheDefaults) {
  const TrainConfig config = parse_train_config(
      "{model: {name: hf_bert}, data_local: d, tokenizer_name: t, optimizer: {lr: 0.001}, "
      "max_duration: 5ba, global_train_batch_size: 8}",
      "train.yaml");
  EXPECT_EQ(config.run_name, "bert");
  EXPECT_EQ(config.model.family, Family::kBert);
  EXPECT_EQ(config.model.padding, Padding::kNone);
  EXPECT_EQ(config.max_seq_len, 512);
  EXPECT_EQ(config.train.streams[0].split, "train");
  EXPECT_EQ(config.train.mlm_probability, 0.3);
  EXPECT_FALSE(config.evaluation.has_value());
  OptimizerConfig optimizer;
  optimizer.lr = 0.001;
  EXPECT_EQ(config.optimizer, optimizer);
  EXPECT_EQ(config.scheduler, SchedulerConfig());
  EXPECT_FALSE(config.clip_norm.has_value());
  EXPECT_FALSE(config.device_train_microbatch_size.has_value());
  EXPECT_FALSE(config.device_eval_batch_size.has_value());
  EXPECT_EQ(config.monitors, MonitorConfig());
  EXPECT_EQ(config.save, SaveConfig());
}

TEST(TrainConfig, OverridesComeBeforeInterpolation) {
  const TrainConfig config =
      read({"width=32", "optimizer.lr=1e-3", "optimizer.betas=[0.8, 0.9]", "padding=none",
            "eval_loader=", "algorithms.gradient_clipping=", "max_duration=10ba",
            "device_train_microbatch_size=auto", "callbacks.memory_monitor=true",
            "callbacks.lr_monitor=false", "save_folder=./{run_name}/x", "vocab=v.txt",
            "scheduler.name=cosine_with_warmup", "model.model_config.vocab_size=8192"});
  EXPECT_EQ(config.model.hidden_size, 32);
  EXPECT_EQ(config.model.padding, Padding::kNone);
  EXPECT_EQ(config.optimizer.lr, 1e-3);
  EXPECT_EQ(config.optimizer.beta1, 0.8);
  EXPECT_EQ(config.optimizer.beta2, 0.9);
  EXPECT_FALSE(config.evaluation.has_value());
  EXPECT_FALSE(config.clip_norm.has_value());
  EXPECT_EQ(config.max_duration.count, 10);
  EXPECT_FALSE(config.device_train_microbatch_size.has_value());
  EXPECT_TRUE(config.monitors.memory);
  EXPECT_FALSE(config.monitors.lr);
  EXPECT_EQ(config.save.folder, "./a-run/x");
  EXPECT_EQ(config.vocab, "v.txt");
  EXPECT_EQ(config.scheduler.kind, SchedulerKind::kCosine);
  EXPECT_TRUE(config.vocab_size_stated);
  EXPECT_EQ(config.model.vocab_size, 8192);
}

TEST(TrainConfig, OverridesThatAreNoneAreUsageErrors) {
  expect_refused({"lr"}, "write it as key=value", ErrorKind::kUsage);
  expect_refused({"=1"}, "empty part", ErrorKind::kUsage);
  expect_refused({"optimizer..lr=1"}, "empty part", ErrorKind::kUsage);
  expect_refused({"seed.x=1"}, "goes through seed, which is 17", ErrorKind::kUsage);
  expect_refused({"optimizer.betas=[0.9"}, "no value that YAML knows", ErrorKind::kUsage);
}

TEST(TrainConfig, UnknownKeysNameTheNearest) {
  const auto nearest = [](const std::string& key) { return "the nearest is " + key; };
  expect_refused({"optimizer.weigth_decay=0"}, nearest("optimizer.weight_decay"));
  expect_refused({"mlm_probabilty=0.2"}, nearest("mlm_probability"));
  expect_refused({"train_loader.dataset.suffle=true"}, nearest("train_loader.dataset.shuffle"));
  expect_refused({"eval_loader.dataset.mlm_prob=0.2"},
                 nearest("eval_loader.dataset.mlm_probability"));
  expect_refused({"lr=0.1"}, nearest("optimizer.lr"));
  expect_refused({"callbacks.lr_moniter={}"}, nearest("callbacks.lr_monitor"));
  expect_refused({"callbacks.lr_monitor={window: 3}"}, "callbacks.lr_monitor.window");
  expect_refused({"model.model_config.hiden_size=3"}, nearest("model.model_config.hidden_size"));
  expect_refused({"optimizer.num_workers=1"}, "\"optimizer.num_workers\"");
  // With its line, in a file.
  const std::string file = kFile;
  const auto line = 1 + std::count(file.begin(), file.end(), '\n');
  expect_error(ErrorKind::kInput,
               concat("train.yaml: line ", line, ": no key is named \"save_foldr\""),
               [&] { parse_train_config(file + "save_foldr: x\n", "train.yaml"); });
}

TEST(TrainConfig, AVariableMayHaveAnyName) {
  EXPECT_EQ(read({"my_rate=0.5", "optimizer.lr=${my_rate}"}).optimizer.lr, 0.5);
  EXPECT_EQ(read({"my={a: {rate: 0.5}}", "optimizer.lr=${my.a.rate}"}).optimizer.lr, 0.5);
  EXPECT_EQ(read({"of={a: 0.5, b: 1}", "pick=b", "optimizer.lr=${of.${pick}}"}).optimizer.lr, 1);
  // Also where an override has taken the place of its only use.
  EXPECT_EQ(read({"model.model_config.hidden_size=32"}).model.hidden_size, 32);
  expect_refused({"optimizer.rate=0.5", "seed=${optimizer.lr}"}, "\"optimizer.rate\"");
  EXPECT_THAT(read({"padding_multiple=8", "seed=${padding_multiple}"}).warnings, IsEmpty());
}

TEST(TrainConfig, WhatHasNoEffectIsNamedInALineEach) {
  const TrainConfig config =
      read({"train_loader.num_workers=8", "eval_loader.num_workers=2", "loggers.wandb.project=p",
            "padding_multiple=2", "model.model_config.max_position_embedding=512", "fsdp_config={}",
            "train_loader.dataset.streams={a: {local: x, remote: s3://y}}",
            "algorithms.fused_layernorm={}"});
  EXPECT_THAT(
      config.warnings,
      testing::UnorderedElementsAre(
          HasSubstr("train.yaml: train_loader.num_workers, eval_loader.num_workers have no effect"),
          HasSubstr("loggers.wandb has no effect"), HasSubstr("padding_multiple has no effect"),
          HasSubstr("model.model_config.max_position_embedding has no effect"),
          HasSubstr("fsdp_config has no effect"),
          HasSubstr("train_loader.dataset.streams.a.remote has no effect"),
          HasSubstr("algorithms.fused_layernorm has no effect")));
  // Keys of filters beside a model without any.
  EXPECT_THAT(read({"model.model_config.monarch_mixer_sequence_mixing=false"}).warnings,
              ElementsAre(HasSubstr("model.model_config.long_conv_l_max")));
}

TEST(TrainConfig, RefusesWhatCannotBe) {
  expect_refused({"optimizer="}, "the key optimizer.lr is missing");
  expect_refused({"optimizer.lr=0"}, "optimizer.lr is 0, must be above 0");
  expect_refused({"optimizer.lr=abc"}, "optimizer.lr is the text \"abc\", must be a number");
  expect_refused({"optimizer.name=sgd"}, "must be one of decoupled_adamw, adamw");
  expect_refused({"optimizer.betas=[0.9]"}, "optimizer.betas must be two numbers");
  expect_refused({"optimizer.betas=[0.9, 1.0]"}, "optimizer.betas must be two numbers");
  expect_refused({"optimizer=3"}, "optimizer is 3, must be a map");
  expect_refused({"scheduler.name=cosine"}, "must be one of linear_decay_with_warmup");
  expect_refused({"scheduler.t_warmup=100"}, "scheduler.t_warmup is \"100\", must be a length");
  expect_refused({"max_duration=0.5dur"}, "is a share of itself");
  expect_refused({"max_duration=0ba"}, "max_duration must be longer than 0");
  expect_refused({"max_duration="}, "the key max_duration is missing");
  expect_refused({"eval_interval=1.5ba"}, "must be a length such as");
  expect_refused({"global_train_batch_size=0"}, "must be from 1 to");
  expect_refused({"device_train_microbatch_size=most"}, "must be a whole number");
  expect_refused({"precision=fp16"}, "must be one of fp32, amp_bf16");
  expect_refused({"mlm_probability=0"}, "mlm_probability is 0, must be above 0");
  expect_refused({"mlm_probability=1"}, "leaves nothing");
  expect_refused({"algorithms.gradient_clipping.clipping_type=value"}, "must be norm");
  expect_refused({"algorithms.gradient_clipping.clipping_threshold=0"}, "must be above 0");
  expect_refused({"algorithms.alibi={}"}, "algorithms.alibi");
}

TEST(TrainConfig, RefusesWhatDisagrees) {
  expect_refused({"model.tokenizer_name=other"}, "but tokenizer_name is \"bert-base-uncased\"");
  expect_refused({"train_loader.dataset.max_seq_len=256"}, "more than the model's 128 tokens");
  expect_refused({"eval_loader.dataset.max_seq_len=64"}, "must be 128, as in training");
  expect_refused({"padding=none", "model.model_config.padding=max_length"},
                 "but model.model_config says max_length");
  expect_refused({"model.use_pretrained=true"}, "load_path=FOLDER load_weights_only=true");
  expect_refused({"model.pretrained_checkpoint=a.pt", "load_path=b"}, "keep one of them");
  expect_refused({"model.pretrained_model_name=gpt2"}, "only bert-base-uncased");
  expect_refused({"data_local=", "train_loader.dataset.local="}, "train_loader.dataset.local is");
}

TEST(TrainConfig, WeightsToStartWith) {
  const TrainConfig config = read({"model.pretrained_checkpoint=a.pt"});
  EXPECT_EQ(config.load_path, "a.pt");
  EXPECT_TRUE(config.load_weights_only);
  EXPECT_FALSE(read({"load_path=x"}).load_weights_only);
}

TEST(TrainConfig, StreamsHaveWeights) {
  const TrainConfig config = read(
      {"train_loader.dataset.streams={a: {local: x, repeat: 2}, b: {split: s, samples: 7}, c: }",
       "train_loader.dataset.local=base"});
  EXPECT_THAT(config.train.streams, ElementsAre(DataStream{"a", "x", "train", {}, 2.0, {}},
                                                DataStream{"b", "base", "s", {}, {}, 7},
                                                DataStream{"c", "base", "train", {}, {}, {}}));
  const auto streams = [](const std::string& text) {
    return std::vector<std::string>{"train_loader.dataset.streams=" + text};
  };
  expect_refused(streams("{a: {repeat: 2, samples: 7}}"), "streams.a.samples is set beside repeat");
  expect_refused(streams("{a: {proportion: 0.5}, b: {}}"), "have a proportion in part");
  expect_refused(streams("{a: {proportion: 0}}"), "must be above 0");
  expect_refused(streams("{a: {weight: 1}}"), "\"train_loader.dataset.streams.a.weight\"");
}

TEST(TrainConfig, FilesOfOtherTasksAreRecognised) {
  const auto refused = [](const std::string& yaml, const std::string& part) {
    expect_error(ErrorKind::kInput, part, [&] { parse_train_config(yaml, "other.yaml"); });
  };
  refused("tasks: {mnli: {}}\nmodel: {name: bert}", "fine-tuning on GLUE");
  refused("evaluation_max_seq_len: 128", "retrieval training");
  refused("", "no map \"model\"");
  refused("- 1", "the file is a list, must be a map");
  refused("seed: 1\nseed: 2", "line 2: the key \"seed\" appears twice");
}

TEST(TrainConfig, ThePaddedLengthShouldBeTheModels) {
  EXPECT_THAT(read({"model.model_config.long_conv_l_max=256",
                    "model.model_config.max_position_embeddings=256"})
                  .warnings,
              ElementsAre(HasSubstr("padded to max_seq_len 128, texts later to the model's 256")));
  EXPECT_THAT(read({"padding=none", "model.model_config.long_conv_l_max=256",
                    "model.model_config.max_position_embeddings=256"})
                  .warnings,
              IsEmpty());
}

void expect_same(const TrainConfig& one, const TrainConfig& other) {
  EXPECT_EQ(one.run_name, other.run_name);
  EXPECT_EQ(one.seed, other.seed);
  EXPECT_EQ(to_json(one.model), to_json(other.model));
  EXPECT_EQ(one.vocab_size_stated, other.vocab_size_stated);
  EXPECT_EQ(one.max_seq_len, other.max_seq_len);
  EXPECT_EQ(one.activation_checkpointing, other.activation_checkpointing);
  EXPECT_EQ(one.tokenizer_name, other.tokenizer_name);
  EXPECT_EQ(one.vocab, other.vocab);
  EXPECT_EQ(one.train, other.train);
  EXPECT_EQ(one.evaluation, other.evaluation);
  EXPECT_EQ(one.optimizer, other.optimizer);
  EXPECT_EQ(one.scheduler, other.scheduler);
  EXPECT_EQ(one.clip_norm, other.clip_norm);
  EXPECT_EQ(one.precision, other.precision);
  EXPECT_EQ(one.max_duration, other.max_duration);
  EXPECT_EQ(one.eval_interval, other.eval_interval);
  EXPECT_EQ(one.eval_subset_num_batches, other.eval_subset_num_batches);
  EXPECT_EQ(one.global_train_batch_size, other.global_train_batch_size);
  EXPECT_EQ(one.global_eval_batch_size, other.global_eval_batch_size);
  EXPECT_EQ(one.device_train_microbatch_size, other.device_train_microbatch_size);
  EXPECT_EQ(one.device_eval_batch_size, other.device_eval_batch_size);
  EXPECT_EQ(one.divergence_margin, other.divergence_margin);
  EXPECT_EQ(one.load_path, other.load_path);
  EXPECT_EQ(one.load_weights_only, other.load_weights_only);
  EXPECT_EQ(one.monitors, other.monitors);
  EXPECT_EQ(one.save, other.save);
}

TEST(TrainConfig, ADumpLoadsBackToTheSame) {
  const std::vector<std::vector<std::string>> many = {
      {},
      // Everything that a default could hide.
      {"seed=9223372036854775807",
       "optimizer.lr=0.1234567890123456",
       "optimizer.name=adamw",
       "optimizer.parameter_groups=declared",
       "optimizer.freeze_pad_row=true",
       "eval_loader=",
       "scheduler={name: cosine_with_warmup, t_warmup: 10ba, alpha_f: 0.3, t_max: 0.5dur}",
       "algorithms=",
       "max_duration=3ep",
       "eval_interval=99tok",
       "eval_subset_num_batches=3",
       "global_eval_batch_size=3",
       "device_train_microbatch_size=auto",
       "device_eval_batch_size=",
       "precision=fp32",
       "divergence_margin=0",
       "activation_checkpointing=true",
       "padding=none",
       "train_loader={drop_last: false, dataset: {samples_per_epoch: 9, shuffle: false, "
       "shuffle_seed: 3, streams: {a: {proportion: 0.1}, \"b: c\": {proportion: 7}}}}",
       "tensorboard=false",
       "log_to_console=false",
       "progress_bar=true",
       "callbacks={memory_monitor: , optimizer_monitor: {}, runtime_estimator: true}",
       "save_interval=0.1dur",
       "save_num_checkpoints_to_keep=-1",
       "save_best_checkpoints_to_keep=0",
       "save_overwrite=true",
       "autoresume=true",
       "load_path=x",
       "load_weights_only=true",
       "vocab=v.txt",
       "model.model_config.vocab_size=8191",
       "model.model_config.pooling=mean"},
      {"model={name: hf_bert}", "max_seq_len=100", "seed=${width}"},
      {"model.model_config={use_glu_mlp: false}", "max_seq_len=100", "seed=${width}"},
      // Texts that YAML or ${…} could take for something else.
      {"run_name='true'", "save_folder='a\"\\b ü $'", "vocab='1e3'", "data_local='#: {x'",
       "eval_loader.dataset.split=", "tokenizer_name=./~t"},
      {"dollar=$", "data_local=${dollar}{seed}"},
  };
  for (const auto& overrides : many) {
    SCOPED_TRACE(testing::PrintToString(overrides));
    const TrainConfig config = read(overrides);
    const std::string dump = to_yaml(config);
    const TrainConfig again = parse_train_config(dump, "dump.yaml");
    expect_same(config, again);
    EXPECT_THAT(again.warnings.size(), testing::Le(config.warnings.size()));
    EXPECT_EQ(to_yaml(again), dump);
  }
  EXPECT_EQ(read({"dollar=$", "data_local=${dollar}{seed}"}).train.streams[0].local, "${seed}");
}

TEST(TrainConfig, TheTokenizerIsAFileOrANameWithAVocabulary) {
  const TestFolder folder;
  const std::string file = folder.write("vocab.txt", "a\n");
  const std::string missing = folder.path() + "/none.txt";
  expect_error(ErrorKind::kInput, "is a name: add vocab=FILE", [] { tokenizer_path(read()); });
  EXPECT_EQ(tokenizer_path(read({"vocab=" + file})), file);
  EXPECT_EQ(tokenizer_path(read({"tokenizer_name=" + file})), file);
  EXPECT_EQ(tokenizer_path(read({"tokenizer_name=" + folder.path()})), folder.path());
  expect_error(ErrorKind::kInput, "vocab \"" + missing + "\": no such file",
               [&] { tokenizer_path(read({"vocab=" + missing})); });
  expect_error(ErrorKind::kInput, "tokenizer_name \"" + missing + "\": no such file",
               [&] { tokenizer_path(read({"tokenizer_name=" + missing})); });
}

TEST(TrainConfig, ReadsAFile) {
  const TestFolder folder;
  EXPECT_EQ(load_train_config(folder.write("a.yaml", kFile), {"seed=3"}).seed, 3u);
  expect_error(ErrorKind::kInput, "none.yaml",
               [&] { load_train_config(folder.path() + "/none.yaml"); });
}

}  // namespace
}  // namespace m2
