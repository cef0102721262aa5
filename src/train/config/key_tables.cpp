#include <array>

#include "train/config/keys.h"

namespace m2 {
namespace {

constexpr KeyOrigin kUpstream = KeyOrigin::kUpstream, kOwn = KeyOrigin::kOwn;

constexpr auto kKeys = std::to_array<TrainingKey>({
    {"run_name", kUpstream, "bert", "The run's name; {run_name} in a path stands for it"},
    {"seed", kUpstream, "17", "Of initial weights, order of samples, masks and dropout"},
    {"data_local", kUpstream, "none", "Folder of the data, for loaders that name none"},
    {"tokenizer_name", kUpstream, "", "A name, a vocabulary file or a model folder"},
    {"vocab", kOwn, "none", "Vocabulary file or model folder, where tokenizer_name is a name"},
    {"max_seq_len", kUpstream, "the model's length",
     "Tokens of a sample, [CLS] and [SEP] included"},
    {"mlm_probability", kUpstream, "0.3", "Share of labelled tokens, for a train_loader without"},
    {"padding", kOwn, "max_length for M2-BERT, none for attention",
     "max_length: pads to max_seq_len and mixes the pads in, as published; none: a text's vector "
     "is "
     "that of the text alone"},
    {"activation_checkpointing", kOwn, "false",
     "Computes a layer's activations again in the backward pass: less memory, more time"},

    {"model.name", kUpstream, "bert", "bert, or hf_bert for BERT as transformers has it"},
    {"model.pretrained_model_name", kUpstream, "bert-base-uncased",
     "Whose sizes are the defaults: bert-base-uncased, which a path means too"},
    {"model.tokenizer_name", kUpstream, "tokenizer_name", "The same as tokenizer_name"},
    {"model.use_pretrained", kUpstream, "false", "Must be false: load_path names weights"},
    {"model.pretrained_checkpoint", kUpstream, "none",
     "The same as load_path with load_weights_only"},
    {"model.gradient_checkpointing", kUpstream, "false", "The same as activation_checkpointing"},
    {"model.model_config", kUpstream, "none", "The model's own keys: those of its config.json"},

    {"train_loader.name", kUpstream, "text", "text"},
    {"train_loader.drop_last", kUpstream, "true", "Leaves out an epoch's last batch if not full"},
    {"train_loader.dataset.local", kUpstream, "data_local", "Folder of the data"},
    {"train_loader.dataset.split", kUpstream, "train", "Folder in it"},
    {"train_loader.dataset.streams.*.local", kUpstream, "the loader's", "Folder of one source"},
    {"train_loader.dataset.streams.*.split", kUpstream, "the loader's", "Folder in it"},
    {"train_loader.dataset.streams.*.proportion", kUpstream, "none",
     "Share of an epoch, relative to the other streams'"},
    {"train_loader.dataset.streams.*.repeat", kUpstream, "1", "Times an epoch takes its samples"},
    {"train_loader.dataset.streams.*.samples", kUpstream, "none", "Samples an epoch takes of it"},
    {"train_loader.dataset.samples_per_epoch", kUpstream, "all",
     "Samples of an epoch, where streams have proportions"},
    {"train_loader.dataset.shuffle", kUpstream, "false", "Takes samples in random order"},
    {"train_loader.dataset.shuffle_seed", kUpstream, "seed", "Of that order"},
    {"train_loader.dataset.mlm_probability", kUpstream, "mlm_probability",
     "Share of labelled tokens"},
    {"train_loader.dataset.max_seq_len", kUpstream, "max_seq_len", "The same as max_seq_len"},
    {"train_loader.dataset.tokenizer_name", kUpstream, "tokenizer_name",
     "The same as tokenizer_name"},

    {"eval_loader.name", kUpstream, "text", "text; without eval_loader nothing is evaluated"},
    {"eval_loader.drop_last", kUpstream, "false", "Leaves out the last batch if not full"},
    {"eval_loader.dataset.local", kUpstream, "data_local", "Folder of the data"},
    {"eval_loader.dataset.split", kUpstream, "val", "Folder in it"},
    {"eval_loader.dataset.streams.*.local", kUpstream, "the loader's", "Folder of one source"},
    {"eval_loader.dataset.streams.*.split", kUpstream, "the loader's", "Folder in it"},
    {"eval_loader.dataset.streams.*.proportion", kUpstream, "none",
     "Share of an evaluation, relative to the other streams'"},
    {"eval_loader.dataset.streams.*.repeat", kUpstream, "1",
     "Times an evaluation takes its samples"},
    {"eval_loader.dataset.streams.*.samples", kUpstream, "none",
     "Samples an evaluation takes of it"},
    {"eval_loader.dataset.samples_per_epoch", kUpstream, "all",
     "Samples of an evaluation, where streams have proportions"},
    {"eval_loader.dataset.shuffle", kUpstream, "false",
     "Without effect: an evaluation takes samples in the data's order"},
    {"eval_loader.dataset.shuffle_seed", kUpstream, "seed", "Likewise"},
    {"eval_loader.dataset.mlm_probability", kUpstream, "0.15", "Share of labelled tokens"},
    {"eval_loader.dataset.max_seq_len", kUpstream, "max_seq_len", "The same as max_seq_len"},
    {"eval_loader.dataset.tokenizer_name", kUpstream, "tokenizer_name",
     "The same as tokenizer_name"},

    {"scheduler.name", kUpstream, "linear_decay_with_warmup",
     "linear_decay_with_warmup, cosine_with_warmup or constant_with_warmup"},
    {"scheduler.t_warmup", kUpstream, "0.06dur", "Until the peak rate is reached, from 0"},
    {"scheduler.alpha_f", kUpstream, "0.02", "Share of the peak rate at the end"},
    {"scheduler.t_max", kUpstream, "1dur", "When that end is reached"},

    {"optimizer.name", kUpstream, "decoupled_adamw", "decoupled_adamw or adamw"},
    {"optimizer.lr", kUpstream, "", "Peak learning rate"},
    {"optimizer.betas", kUpstream, "[0.9, 0.98]", "Decays of the two moments"},
    {"optimizer.eps", kUpstream, "1e-06", "Added to the root of the second moment"},
    {"optimizer.weight_decay", kUpstream, "1e-05",
     "Decay a step at the peak rate; with adamw, times the rate"},
    {"optimizer.parameter_groups", kOwn, "published",
     "published: one group; declared: filters and z with the rates of model_config"},
    {"optimizer.freeze_pad_row", kOwn, "false",
     "Word embedding 0, [PAD], learns as an output alone, not as an input"},
    {"algorithms.gradient_clipping.clipping_type", kUpstream, "norm", "norm: of all gradients"},
    {"algorithms.gradient_clipping.clipping_threshold", kUpstream, "",
     "The norm that gradients are scaled down to; without gradient_clipping they are not"},

    {"max_duration", kUpstream, "", "Length of the training"},
    {"eval_interval", kUpstream, "1ep", "Steps between evaluations"},
    {"eval_subset_num_batches", kUpstream, "-1", "Batches of an evaluation; -1: all"},
    {"global_train_batch_size", kUpstream, "", "Samples an optimiser step"},
    {"global_eval_batch_size", kUpstream, "global_train_batch_size",
     "Samples a batch of an evaluation"},
    {"device_train_microbatch_size", kUpstream, "auto",
     "Samples computed at a time; auto: as many as fit. Changes no result but by rounding"},
    {"device_eval_batch_size", kUpstream, "device_train_microbatch_size",
     "Samples computed at a time in an evaluation"},
    {"precision", kUpstream, "fp32", "fp32, or amp_bf16: products in bfloat16"},
    {"divergence_margin", kOwn, "2",
     "Stops where the mean loss is this much above its lowest, in nats; 0: never"},

    {"progress_bar", kUpstream, "true", "A progress line on a terminal"},
    {"log_to_console", kUpstream, "false", "A line on stderr every console_log_interval"},
    {"console_log_interval", kUpstream, "1ba", "See log_to_console"},
    {"tensorboard", kOwn, "true", "Event files for TensorBoard beside metrics.jsonl"},
    {"callbacks.lr_monitor", kUpstream, "off",
     "Without effect: the learning rate is always reported"},
    {"callbacks.speed_monitor", kUpstream, "off",
     "Reports tokens a second and their share of what the machine can do"},
    {"callbacks.speed_monitor.window_size", kUpstream, "1", "Steps that these are means over"},
    {"callbacks.memory_monitor", kUpstream, "off", "Reports memory"},
    {"callbacks.optimizer_monitor", kUpstream, "off",
     "Reports norms of weights and moments every 10th step"},
    {"callbacks.runtime_estimator", kUpstream, "off", "Reports the time left"},

    {"save_folder", kUpstream, "runs/{run_name}", "Where the run lies"},
    {"save_interval", kUpstream, "1000ba", "Steps between checkpoints"},
    {"save_num_checkpoints_to_keep", kUpstream, "-1", "Newest checkpoints that are kept; -1: all"},
    {"save_best_checkpoints_to_keep", kOwn, "1",
     "Checkpoints of lowest evaluation loss that are kept beside them"},
    {"save_overwrite", kUpstream, "false", "Empties a save_folder that holds another run"},
    {"autoresume", kUpstream, "false", "Goes on from save_folder's newest checkpoint, if any"},
    {"load_path", kUpstream, "none", "A run or checkpoint to go on from"},
    {"load_weights_only", kUpstream, "false",
     "Takes load_path's weights alone; it may be a model folder or file"},
});

constexpr std::string_view kOwnThreads = "batches are made by the trainer's own threads";
constexpr std::string_view kNoRemote = "data lie on this machine: see `m2 data build`";
constexpr std::string_view kByPlace = "any batch is computed from seed and step";
constexpr std::string_view kNames = "the vocabulary says what tokens mean";
constexpr std::string_view kTypo = "nothing reads it; max_position_embeddings is the key";
constexpr std::string_view kLocalLogs =
    "what a run reports goes to metrics.jsonl and TensorBoard's files";
constexpr std::string_view kFlashFft = "it chooses a CUDA kernel, not a model";
constexpr std::string_view kOneProcess = "one process trains on one machine";
constexpr std::string_view kUpstreamIdle = "nothing in the research code reads it";
constexpr std::string_view kLengthening = "a model is made longer by `m2 convert --extend-length`";
constexpr std::string_view kOneWay = "layers are computed in one way";
constexpr std::string_view kWholeEpochs = "an epoch takes all batches: max_duration is the limit";
constexpr std::string_view kCallback = "this program has no such callback";
constexpr std::string_view kTransformers = "it is for the transformers package";
constexpr std::string_view kNotHere = "it acts in classification and retrieval alone";

constexpr auto kIdle = std::to_array<IdleKey>({
    {"data_remote", kNoRemote},
    {"*_loader.dataset.remote", kNoRemote},
    {"*_loader.dataset.streams.*.remote", kNoRemote},
    {"*_loader.dataset.download_retry", kNoRemote},
    {"*_loader.dataset.download_timeout", kNoRemote},
    {"*_loader.dataset.predownload", kNoRemote},
    {"*_loader.dataset.cache_limit", kNoRemote},
    {"*_loader.dataset.validate_hash", kNoRemote},
    {"*_loader.dataset.keep_zip", kNoRemote},
    {"*_loader.dataset.keep_raw", kNoRemote},
    {"*_loader.dataset.streams.*.download_retry", kNoRemote},
    {"*_loader.dataset.streams.*.download_timeout", kNoRemote},
    {"*_loader.dataset.streams.*.validate_hash", kNoRemote},
    {"*_loader.dataset.streams.*.keep_zip", kNoRemote},
    {"*_loader.dataset.streams.*.keep_raw", kNoRemote},
    {"*_loader.dataset.partition_algo", kByPlace},
    {"*_loader.dataset.num_canonical_nodes", kByPlace},
    {"*_loader.dataset.shuffle_algo", kByPlace},
    {"*_loader.dataset.shuffle_block_size", kByPlace},
    {"*_loader.dataset.eos_token_id", kNames},
    {"*_loader.dataset.bos_token_id", kNames},
    {"*_loader.dataset.padding_multiple", kUpstreamIdle},
    {"*_loader.num_workers", kOwnThreads},
    {"*_loader.pin_memory", kOwnThreads},
    {"*_loader.prefetch_factor", kOwnThreads},
    {"*_loader.persistent_workers", kOwnThreads},
    {"*_loader.timeout", kOwnThreads},
    {"max_position_embedding", kTypo},
    {"model.model_config.max_position_embedding", kTypo},
    {"padding_multiple", kUpstreamIdle},
    {"model.model_config.padding_multiple", kUpstreamIdle},
    {"base_run_name", "run_name is the name"},
    {"use_learnable_monarch", kUpstreamIdle},
    {"model.use_learnable_monarch", kUpstreamIdle},
    {"model.model_config.use_learnable_monarch", kUpstreamIdle},
    {"use_flash_fft", kFlashFft},
    {"model.use_flash_fft", kFlashFft},
    {"model.model_config.use_flash_fft", kFlashFft},
    {"use_flash_mm", "model.model_config.use_flash_mm is the key"},
    {"model.use_flash_mm", "model.model_config.use_flash_mm is the key"},
    {"expand_positional_embeddings", kLengthening},
    {"model.expand_positional_embeddings", kLengthening},
    {"model.model_config.performing_BEIR_evaluation", kNotHere},
    {"model.model_config.problem_type", kNotHere},
    {"model.model_config.precision", "the file's own key precision is read"},
    {"model.model_config.pretrained_checkpoint", "model.pretrained_checkpoint is the key"},
    {"model.model_config.alibi_starting_size", "slopes are computed for any length"},
    {"model.model_config.hyena_filter_dropout", "filters have no dropout"},
    {"model.model_config.architectures", kTransformers},
    {"model.model_config.transformers_version", kTransformers},
    {"model.model_config.torch_dtype", kTransformers},
    {"model.model_config.use_cache", kTransformers},
    {"model.model_config.gradient_checkpointing", "model.gradient_checkpointing is the key"},
    {"algorithms.fused_layernorm", kOneWay},
    {"algorithms.low_precision_layernorm", kOneWay},
    {"train_subset_num_batches", kWholeEpochs},
    {"callbacks.speed_monitor.gpu_flops_available", "the machine's rate is measured"},
    {"callbacks.optimizer_monitor.log_optimizer_metrics", "norms are few and always reported"},
    {"callbacks.health_checker", kCallback},
    {"loggers.*", kLocalLogs},
    {"python_log_level", "there are no levels"},
    {"device", kOneProcess},
    {"dist_timeout", kOneProcess},
    {"fsdp_config", kOneProcess},
    {"fsdp", kOneProcess},
    {"deepspeed_config", kOneProcess},
    {"n_gpus", kOneProcess},
});

}  // namespace

std::span<const TrainingKey> training_keys() {
  return kKeys;
}

std::span<const IdleKey> idle_keys() {
  return kIdle;
}

}  // namespace m2
