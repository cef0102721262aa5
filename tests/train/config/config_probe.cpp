// Prints what a training file resolves to: train_config_probe FILE [KEY=VALUE…]
#include <cstdio>

#include "core/error.h"
#include "train/config/train_config.h"

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  try {
    const auto config = m2::load_train_config(argv[1], {argv + 2, argv + argc});
    std::fputs(m2::to_yaml(config).c_str(), stdout);
    return 0;
  } catch (const m2::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.kind());
  }
}
