#include <c10/util/Exception.h>

#include <new>
#include <string>

#include "apps/m2_train/command.h"
#include "apps/m2_train/process.h"
#include "cli/command_line.h"
#include "cli/exit.h"
#include "core/error.h"

namespace {

const char kFooter[] =
    "Example:\n"
    "  m2 train mlm my-model.yaml max_duration=2000ba save_folder=runs/first\n\n"
    "Exit codes: 0 done, 1 the work failed, 2 the command was wrong, 3 a file was missing or bad,\n"
    "129 hung up on, 130 interrupted, 143 asked to end (SIGTERM). `m2 train COMMAND --help` says "
    "more.";

const char kOutOfMemory[] = "DefaultCPUAllocator";  // libtorch's has no type of its own
const char kLessMemory[] =
    "not enough memory; lower device_train_microbatch_size or max_seq_len, or set "
    "activation_checkpointing=true";

void parse_and_run(CLI::App& app, int argc, char** argv) {
  try {
    m2::parse_command_line(app, argc, argv);
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    if (what.find(kOutOfMemory) == std::string::npos) throw m2::failed_error(what);
    throw m2::MemoryError(kLessMemory);
  } catch (const std::bad_alloc&) {
    throw m2::MemoryError(kLessMemory);
  }
}

}  // namespace

int main(int argc, char** argv) {
  m2::prepare_process(argv);
  CLI::App app{"Train Monarch Mixer (M2) text encoders and BERT baselines", "m2 train"};
  app.set_version_flag("--version", "m2-train " M2_VERSION);
  app.require_subcommand(1);
  app.footer(kFooter);
  bool verbose = false;
  app.add_flag("--verbose", verbose, "Say on stderr what is done");
  app.fallthrough();
  int status = 0;
  m2::add_mlm(app, status);
  m2::add_bench(app);
  app.parse_complete_callback([&] { m2::log_to_stderr(m2::kProgram, verbose); });
  const int failure = m2::run_guarded(m2::kProgram, [&] { parse_and_run(app, argc, argv); });
  return failure != 0 ? failure : status;
}
