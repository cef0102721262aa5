#include <array>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "apps/m2_train/command.h"
#include "apps/m2_train/process.h"
#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "train/config/train_config.h"
#include "train/loop/pretraining.h"

namespace m2 {
namespace {

struct MlmFlags {
  std::string config;
  std::vector<std::string> overrides;
  bool dump_config = false;
  bool resume = false, no_resume = false;
  int threads = 0;
};

std::string fixed(double value, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

void print_result(const train::PretrainingResult& result) {
  std::cout << result.saved.string() << ": " << result.step << " steps";
  if (result.loss) std::cout << ", loss " << fixed(*result.loss, 4);
  if (result.evaluation) {
    std::cout << ", evaluation loss " << fixed(result.evaluation->loss, 4) << ", masked accuracy "
              << fixed(100 * result.evaluation->accuracy, 2) << " %";
  }
  std::cout << '\n';
}

// 128 + the signal, as a shell has it: to whoever sent it, the work is not done.
int report_stop(const train::PretrainingResult& result) {
  const char* why = result.signal == SIGINT   ? "interrupted"
                    : result.signal == SIGHUP ? "hung up on"
                                              : "asked to end";
  const std::string saved =
      result.saved.empty() ? "before the first step was done"
                           : concat("step ", result.step, " is saved in ", result.saved.string(),
                                    "; autoresume=true goes on from there");
  std::fprintf(stderr, "%s: %s: %s\n", kProgram, why, saved.c_str());
  return 128 + result.signal;
}

int train_mlm(const MlmFlags& flags) {
  TrainConfig config = load_train_config(flags.config, flags.overrides);
  if (flags.resume) config.save.autoresume = true;
  if (flags.no_resume) config.save.autoresume = false;
  for (const std::string& warning : config.warnings) log_warning(warning);
  if (flags.dump_config) {
    std::cout << to_yaml(config);
    return 0;
  }
  const train::PretrainingResult result = train::pretrain(config, set_threads(flags.threads));
  if (result.signal != 0) return report_stop(result);
  print_result(result);
  return 0;
}

}  // namespace

void add_mlm(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("mlm", "Pretrain an encoder by masked language modelling");
  const auto flags = std::make_shared<MlmFlags>();
  command
      ->add_option("CONFIG", flags->config, "What to train, YAML; configs/ has the published ones")
      ->required();
  command->add_option("KEY=VALUE", flags->overrides,
                      "Put in place of the file's: max_duration=2000ba, optimizer.lr=1e-3");
  command->add_flag("--dump-config", flags->dump_config,
                    "Print the configuration with all that is left out in it, and end");
  auto* resume = command->add_flag("--resume", flags->resume,
                                   "Go on from the newest checkpoint: autoresume=true");
  command->add_flag("--no-resume", flags->no_resume, "autoresume=false")->excludes(resume);
  add_threads(*command, flags->threads);
  command->footer(
      "Writes SAVE_FOLDER/checkpoints/step-N, metrics.jsonl and tensorboard/ on the way, and at "
      "the\n"
      "end SAVE_FOLDER/model, a folder that `m2 embed` and `m2 fill-mask` take. SIGTERM and "
      "Ctrl-C\n"
      "save a checkpoint before they end it (exit codes 143 and 130), and so does SIGHUP (129).\n\n"
      "Example:\n"
      "  m2 train mlm my-model.yaml max_duration=2000ba save_folder=runs/first");
  command->callback([flags, &status] { status = train_mlm(*flags); });
}

}  // namespace m2
