#include "cli/command_line.h"

#include <CLI/CLI.hpp>

#include "core/error.h"
#include "core/text.h"

namespace m2 {

void parse_command_line(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    app.exit(success);
  } catch (const CLI::ParseError& error) {
    const auto commands = app.get_subcommands();
    const std::string command = commands.empty() ? "" : " " + commands.front()->get_name();
    throw usage_error(concat(error.what(), "; see ", app.get_name(), command, " --help"));
  }
}

}  // namespace m2
