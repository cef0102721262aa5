#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "apps/m2/command.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

constexpr char kTrainer[] = "m2-train";

// Beside this program, or in libexec; empty where it is in neither.
fs::path trainer_near_this_program() {
  std::error_code problem;
  const fs::path folder = fs::read_symlink("/proc/self/exe", problem).parent_path();
  for (const fs::path& place : {folder / kTrainer, folder.parent_path() / "libexec" / kTrainer}) {
    if (!problem && access(place.c_str(), X_OK) == 0) return place;
  }
  return {};
}

// Becomes m2-train, which alone is linked with libtorch.
void hand_over(std::vector<std::string> words) {
  words.insert(words.begin(), "m2 train");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const fs::path near = trainer_near_this_program();
  if (near.empty()) {
    execvp(kTrainer, arguments.data());
  } else {
    execv(near.c_str(), arguments.data());
  }
  if (errno != ENOENT) throw failed_error(concat(kTrainer, ": ", std::strerror(errno)));
  throw failed_error(concat(kTrainer,
                            " is not there, the part of this program that trains: `make train` in "
                            "the source tree builds it beside m2, or put it into PATH"));
}

CLI::App* add_hand_over(CLI::App& app, const std::string& name, const std::string& what) {
  CLI::App* command = app.add_subcommand(name, what);
  command->set_help_flag();  // m2-train's own is shown
  command->fallthrough(false);
  command->prefix_command();
  return command;
}

}  // namespace

void add_training(CLI::App& app) {
  CLI::App* command =
      add_hand_over(app, "train", "Train a model: mlm CONFIG.yaml (wants `make train`)");
  command->callback([command] { hand_over(command->remaining()); });
}

void add_bench_train(CLI::App& bench) {
  CLI::App* command =
      add_hand_over(bench, "train", "Time the parts of a training step (wants `make train`)");
  command->callback([command] {
    std::vector<std::string> words = command->remaining();
    words.insert(words.begin(), "bench");
    hand_over(std::move(words));
  });
}

}  // namespace m2
