#include "train/loop/pretraining.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <limits>
#include <utility>

#include "checkpoint/new_file.h"
#include "config/flops.h"
#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "train/checkpoints/checkpoint_store.h"
#include "train/checkpoints/run_folder.h"
#include "train/checkpoints/whole_folder.h"
#include "train/loop/batch_prefetch.h"
#include "train/loop/loss_watch.h"
#include "train/loop/resume.h"
#include "train/loop/run_checkpoint.h"
#include "train/loop/run_log.h"
#include "train/loop/stop_request.h"
#include "train/loop/surroundings.h"
#include "train/loop/trainer.h"
#include "train/models/model_folder.h"

namespace m2::train {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kVocabularyMultiple = 8;

// The configuration with what the vocabulary says: its size, and the tokens that ids stand for.
TrainConfig with_vocabulary(TrainConfig config, const Tokenizer& tokenizer) {
  const int64_t words = tokenizer.vocab_size();
  if (tokenizer.special_ids().mask < 0) {
    throw input_error(concat(tokenizer_path(config),
                             ": has no [MASK] token, which masked language modelling needs"));
  }
  if (!config.vocab_size_stated) {
    config.model.vocab_size =
        (words + kVocabularyMultiple - 1) / kVocabularyMultiple * kVocabularyMultiple;
  } else if (words > config.model.vocab_size) {
    throw input_error(concat(config.source, ": model_config.vocab_size is ",
                             config.model.vocab_size, ", too small for the ", words, " tokens of ",
                             tokenizer_path(config)));
  }
  config.model.padding_stated = true;
  config.model.source = config.source;
  validate(config.model);
  return config;
}

BatchOptions batch_options(const TrainConfig& config, int64_t samples, bool drop_last) {
  BatchOptions options;
  options.samples = samples;
  options.drop_last = drop_last;
  options.max_seq_len = config.max_seq_len;
  options.full_length = config.model.padding == Padding::kMaxLength;
  options.seed = config.seed;
  return options;
}

// How many an evaluation takes.
int64_t evaluation_samples(const TrainConfig& config, const SampleBatches& batches) {
  const int64_t all = batches.epoch_samples(), size = config.global_eval_batch_size;
  if (config.eval_subset_num_batches >= 0) {
    return std::min(config.eval_subset_num_batches * size, all);
  }
  return config.evaluation->drop_last && all >= size ? all / size * size : all;
}

// An evaluation takes every sample once, in the data's order.
std::optional<SampleBatches> evaluation_batches(const TrainConfig& config,
                                                const Tokenizer& tokenizer) {
  if (!config.evaluation) return std::nullopt;
  LoaderConfig loader = *config.evaluation;
  loader.shuffle = false;
  std::optional<SampleBatches> batches;
  batches.emplace(loader, batch_options(config, 1, false), tokenizer);
  require_labels(*batches, evaluation_samples(config, *batches));
  return batches;
}

RunFolder::Existing existing_run(const SaveConfig& save) {
  return save.autoresume || save.overwrite ? RunFolder::Existing::kKeep
                                           : RunFolder::Existing::kRefuse;
}

class Pretraining {
 public:
  Pretraining(const TrainConfig& config, int threads);
  PretrainingResult run();

 private:
  void resume();
  void begin_log();
  bool take_step(const m2::Batch& batch, double wait_seconds);
  void report(const m2::Batch& batch, const Trainer::Gradient& gradient, double wait_seconds);
  // False where a stop was asked for meanwhile.
  bool evaluate_and_save();
  std::optional<EvaluationResult> evaluate_now() const;
  void save();
  void save_and_prune();
  RunState state() const;
  [[noreturn]] void fail_without_number(const Trainer::Gradient& gradient);
  void check_divergence() const;
  std::string newest_checkpoint_text() const;
  PretrainingResult finish();
  PretrainingResult stop();

  Tokenizer tokenizer_;
  TrainConfig config_;
  SampleBatches batches_;
  std::optional<SampleBatches> evaluation_batches_;
  RunPlan plan_;
  Surroundings surroundings_;
  RunFolder folder_;
  CheckpointStore store_;
  std::vector<std::string> vocabulary_files_;
  Trainer trainer_;
  LossWatch watch_;
  std::optional<RunLog> log_;
  Clock::time_point step_end_;

  int64_t step_ = 0, samples_ = 0, tokens_ = 0;
  std::optional<double> loss_;
  // Of the step in hand, and whether the checkpoint of saved_step_ has one.
  std::optional<double> evaluation_loss_;
  int64_t saved_step_ = -1;
  bool saved_with_evaluation_ = false;
  std::optional<EvaluationResult> evaluation_;
  double lowest_evaluation_ = std::numeric_limits<double>::infinity();
};

Pretraining::Pretraining(const TrainConfig& config, int threads)
    : tokenizer_(Tokenizer::load(tokenizer_path(config))),
      config_(with_vocabulary(config, tokenizer_)),
      batches_(config_.train,
               batch_options(config_, config_.global_train_batch_size, config_.train.drop_last),
               tokenizer_),
      evaluation_batches_(evaluation_batches(config_, tokenizer_)),
      plan_(plan_run(config_, batches_.batched_samples(), batches_.sample_tokens())),
      surroundings_(describe_surroundings(threads)),
      folder_(config_.save.folder, existing_run(config_.save)),
      store_(folder_.checkpoints()),
      trainer_(config_),
      watch_(config_.divergence_margin) {
  resume();
  vocabulary_files_ = keep_vocabulary(tokenizer_path(config_), folder_.vocabulary());
  // An earlier run goes when all that this one begins with has been read, from that run perhaps.
  if (config_.save.overwrite && !config_.save.autoresume) {
    folder_.empty();
    if (step_ > 0) save();
  }
  write_new_file(folder_.configuration().string(), to_yaml(config_));
}

void Pretraining::resume() {
  if (config_.save.autoresume) store_.clear_leftovers();
  const auto restored = restore(config_, store_, batches_, surroundings_, trainer_);
  const RunState* saved = restored ? &restored->state : nullptr;
  if (saved != nullptr) {
    step_ = saved->step;
    samples_ = saved->samples;
    tokens_ = saved->tokens;
    evaluation_loss_ = saved->evaluation_loss;
    if (restored->from_store) saved_step_ = step_;
    saved_with_evaluation_ = evaluation_loss_.has_value();
    watch_.restore(saved->recent_losses, saved->lowest_loss);
    lowest_evaluation_ = store_.lowest_evaluation_loss(step_);
    std::fprintf(stderr, "m2: resumed from step %lld\n", static_cast<long long>(step_));
    if (step_ >= plan_.total_steps) {
      log_warning(concat("max_duration: its ", plan_.total_steps,
                         " steps are done, and nothing is left to train"));
    }
  }
  if (config_.device_train_microbatch_size) {
    trainer_.set_micro_batch(*config_.device_train_microbatch_size);
  } else {
    trainer_.set_micro_batch(saved != nullptr ? saved->micro_batch : trainer_.find_micro_batch());
  }
  if (saved != nullptr && saved->micro_batch != trainer_.micro_batch()) {
    log_warning(concat("device_train_microbatch_size: ", trainer_.micro_batch(), " instead of ",
                       saved->micro_batch,
                       ": from here on the bits are not those of a run without a stop"));
  }
}

PretrainingResult Pretraining::run() {
  log_.emplace(folder_, config_.monitors, step_, plan_.total_steps, plan_.console_steps);
  BatchPrefetch prefetch(batches_, step_, plan_.total_steps);
  step_end_ = Clock::now();
  // A stop may have come before the evaluation that was due.
  if (step_ > 0 && !evaluate_and_save()) return stop();
  while (step_ < plan_.total_steps) {
    const m2::Batch batch = prefetch.next();
    if (!take_step(batch, prefetch.waited_seconds())) return stop();
    check_divergence();
    if (!evaluate_and_save() || stop_signal() != 0) return stop();
  }
  return finish();
}

bool Pretraining::take_step(const m2::Batch& batch, double wait_seconds) {
  const std::optional<Trainer::Gradient> gradient = trainer_.accumulate(batch, step_);
  if (!gradient) return false;
  if (!gradient->finite()) fail_without_number(*gradient);
  trainer_.update(*gradient, learning_rate_factor(plan_.schedule, step_));
  ++step_;
  samples_ += batch.rows;
  tokens_ += batch.tokens;
  evaluation_loss_.reset();
  if (batch.labelled > 0) {
    loss_ = gradient->loss;
    watch_.add(gradient->loss);
  }
  report(batch, *gradient, wait_seconds);
  return true;
}

void Pretraining::report(const m2::Batch& batch, const Trainer::Gradient& gradient,
                         double wait_seconds) {
  const auto now = Clock::now();
  StepFacts facts;
  facts.report.step = step_;
  if (batch.labelled > 0) facts.report.loss = gradient.loss;
  facts.report.tokens = batch.tokens;
  facts.report.seconds = std::chrono::duration<double>(now - step_end_).count();
  facts.report.wait_seconds = wait_seconds;
  facts.learning_rate = config_.optimizer.lr * learning_rate_factor(plan_.schedule, step_ - 1);
  facts.gradient_norm = gradient.norm;
  facts.total_samples = samples_;
  facts.total_tokens = tokens_;
  facts.report.flops =
      3 * (static_cast<double>(batch.rows * batch.length) *
               (dense_flops_per_token(config_.model) +
                attention_flops_per_token(config_.model, batch.length)) +
           static_cast<double>(batch.labelled) * mlm_head_flops_per_label(config_.model));
  log_->add_step(facts, trainer_.model(), trainer_.optimizer());
  step_end_ = now;
}

bool Pretraining::evaluate_and_save() {
  bool is_best = false;
  const bool last = step_ == plan_.total_steps;
  const bool due = is_due(step_, plan_.evaluation_steps) || last;
  if (evaluation_batches_ && due && !evaluation_loss_) {
    const std::optional<EvaluationResult> result = evaluate_now();
    if (!result) return false;
    evaluation_ = result;
    evaluation_loss_ = result->loss;
    is_best = config_.save.best > 0 && result->loss < lowest_evaluation_;
    lowest_evaluation_ = std::min(lowest_evaluation_, result->loss);
    log_->add_evaluation(step_, *result);
    step_end_ = Clock::now();
  }
  if (is_due(step_, plan_.save_steps) || is_best || last) {
    save_and_prune();
    step_end_ = Clock::now();
  } else if (saved_step_ == step_) {
    save();  // with the evaluation that a stop had cut
  }
  return true;
}

std::optional<EvaluationResult> Pretraining::evaluate_now() const {
  EvaluationOptions options;
  options.samples = evaluation_samples(config_, *evaluation_batches_);
  options.rows = config_.device_eval_batch_size.value_or(trainer_.micro_batch());
  options.bf16 = config_.precision == TrainPrecision::kAmpBf16;
  return evaluate(trainer_.model(), *evaluation_batches_, options);
}

RunState Pretraining::state() const {
  RunState state;
  state.step = step_;
  state.samples = samples_;
  state.tokens = tokens_;
  state.micro_batch = trainer_.micro_batch();
  state.seed = config_.seed;
  state.evaluation_loss = evaluation_loss_;
  state.recent_losses = watch_.recent();
  state.lowest_loss = watch_.lowest();
  state.data = batches_.data();
  state.surroundings = surroundings_;
  state.configuration = to_yaml(config_);
  return state;
}

void Pretraining::save() {
  const bool is_saved = saved_step_ == step_ && store_.holds(step_);  // unless pruned
  if (is_saved && saved_with_evaluation_ == evaluation_loss_.has_value()) return;
  try {
    if (log_) log_->flush();
    store_.save(step_, [&](const std::filesystem::path& folder) {
      write_run_checkpoint(folder, trainer_.model(), trainer_.optimizer(), state(),
                           vocabulary_files_);
    });
    saved_step_ = step_;
    saved_with_evaluation_ = evaluation_loss_.has_value();
  } catch (const Error& error) {
    throw failed_error(concat(error.what(), "; ", newest_checkpoint_text()));
  }
}

// For a training that goes on; one that ends early keeps all that it has.
void Pretraining::save_and_prune() {
  save();
  try {
    store_.prune(step_, config_.save.last, config_.save.best);
  } catch (const Error& error) {
    throw failed_error(concat(error.what(), "; ", newest_checkpoint_text()));
  }
}

std::string Pretraining::newest_checkpoint_text() const {
  const std::vector<SavedCheckpoint> all = store_.list(step_);
  if (all.empty()) return "no checkpoint was saved before";
  std::string newest = concat("autoresume=true goes on from ", all.front().folder.string());
  if (all.size() == 1) return newest;
  return concat(newest, ", load_path=", all[1].folder.string(), " from the one before");
}

void Pretraining::fail_without_number(const Trainer::Gradient& gradient) {
  trainer_.model().parameters().clear_gradients();
  save();  // weights and moments have not met that gradient
  throw failed_error(concat("step ", step_ + 1, ": the ",
                            std::isfinite(gradient.loss) ? "gradient" : "loss",
                            " is not finite, the step was not taken; a lower optimizer.lr or "
                            "gradient clipping may help; ",
                            newest_checkpoint_text()));
}

void Pretraining::check_divergence() const {
  if (!watch_.diverged()) return;
  throw failed_error(concat("step ", step_, ": the loss has risen from ", *watch_.lowest(), " to ",
                            *watch_.mean(), " (means over ", LossWatch::kSteps,
                            " steps); lower optimizer.lr, or raise divergence_margin; ",
                            newest_checkpoint_text()));
}

PretrainingResult Pretraining::finish() {
  replace_folder(folder_.model(), [&](const std::filesystem::path& folder) {
    save_model_folder(trainer_.model(), folder.string(), vocabulary_files_);
  });
  return {0, step_, loss_, evaluation_, folder_.model()};
}

PretrainingResult Pretraining::stop() {
  if (step_ > 0) save();
  PretrainingResult result{stop_signal(), step_, loss_, evaluation_, {}};
  const std::vector<SavedCheckpoint> all = store_.list(step_);
  if (!all.empty()) result.saved = all.front().folder;
  return result;
}

}  // namespace

PretrainingResult pretrain(const TrainConfig& config, int threads) {
  watch_stop_signals();
  return Pretraining(config, threads).run();
}

}  // namespace m2::train
