#include <CLI/CLI.hpp>

#include "apps/m2/command.h"
#include "cli/command_line.h"
#include "cli/exit.h"
#include "cli/interrupt.h"
#include "kernels/isa.h"

namespace {

const char kFooter[] =
    "Example:\n"
    "  m2 init --preset m2-bert-80M --length 2048 --vocab vocab.txt --seed 1 --padding none "
    "my-model\n"
    "  m2 embed --model-id my-model \"a first text\" \"and a second\"\n\n"
    "Exit codes: 0 done, 1 the work failed, 2 the command was wrong, 3 a file was missing or bad,\n"
    "130 interrupted. `m2 COMMAND --help` says more.";

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Run Monarch Mixer (M2) embedding models on long texts", m2::kProgram};
  app.set_version_flag("--version", "m2 " M2_VERSION);
  app.require_subcommand(1);
  app.footer(kFooter);
  bool verbose = false;
  app.add_flag("--verbose", verbose, "Say on stderr what is done");
  app.fallthrough();
  m2::add_embed(app);
  m2::add_tokenize(app);
  m2::add_tokenizer(app);
  m2::add_info(app);
  m2::add_init(app);
  m2::add_bench(app);
  m2::add_convert(app);
  m2::add_fill_mask(app);
  m2::add_serve(app);
  m2::add_training(app);
  m2::add_data(app);
  m2::add_plot(app);
  m2::add_doctor(app);
  app.parse_complete_callback([&] {
    m2::log_to_stderr(m2::kProgram, verbose);
    m2::watch_interrupt();
    m2::current_isa();
  });
  return m2::run_guarded(m2::kProgram, [&] { m2::parse_command_line(app, argc, argv); });
}
