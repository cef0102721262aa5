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
    std::string help = app.get_name();
    const CLI::App* innermost = &app;
    for (auto named = app.get_subcommands(); !named.empty(); named = innermost->get_subcommands()) {
      innermost = named.front();
      help += " " + innermost->get_name();
    }
    const std::vector<std::string> unknown = app.remaining(/*recurse=*/true);
    const bool no_command = error.get_name() == "RequiredError" &&
                            innermost->get_require_subcommand_min() > 0 && !unknown.empty();
    const std::string why = no_command
                                ? concat("no command is named \"", printable(unknown.front()), "\"")
                                : error.what();
    throw usage_error(concat(why, "; see ", help, " --help"));
  }
}

}  // namespace m2
