// data_probe FOLDER LENGTH [VOCABULARY]
// Prints the samples of the dataset in FOLDER, a JSON list of ids each.
#include <cstdlib>
#include <iostream>
#include <optional>

#include "core/error.h"
#include "data/dataset.h"

int main(int argc, char** argv) {
  if (argc < 3) return EXIT_FAILURE;
  try {
    std::optional<m2::Tokenizer> tokenizer;
    if (argc > 3) tokenizer = m2::Tokenizer::load(argv[3]);
    const auto dataset =
        m2::open_dataset(argv[1], {std::atoll(argv[2]), tokenizer ? &*tokenizer : nullptr});
    std::vector<int32_t> ids;
    for (uint64_t i = 0; i < dataset->samples(); ++i) {
      dataset->read(i, ids);
      const char* separator = "[";
      for (const int32_t id : ids) {
        std::cout << separator << id;
        separator = ",";
      }
      std::cout << "]\n";
    }
  } catch (const m2::Error& error) {
    std::cerr << error.what() << '\n';
    return static_cast<int>(error.kind());
  }
  return EXIT_SUCCESS;
}
