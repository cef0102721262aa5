// A command line parsed by CLI11, with errors as this program shows them.
#pragma once

namespace CLI {
class App;
}

namespace m2 {

// Parses the words and runs what they ask for; --help and --version are printed. What cannot be
// parsed is an Error(kUsage) that names the help to read, by the application's name.
void parse_command_line(CLI::App& app, int argc, char** argv);

}  // namespace m2
