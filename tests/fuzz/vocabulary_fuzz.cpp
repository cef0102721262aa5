// A folder of vocab.txt, tokenizer_config.json and special_tokens_map.json, bytes 0 between them.
#include "fuzz_files.h"
#include "tokenizer_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const m2::FuzzFolder folder;
  return m2::fuzz_reader([&] {
    const auto parts = m2::fuzz_parts(data, size, 3);
    folder.write("vocab.txt", parts[0]);
    const char* names[] = {"tokenizer_config.json", "special_tokens_map.json"};
    for (size_t i = 0; i < 2; ++i)
      folder.write(names[i], parts[i + 1].empty() ? "{}" : parts[i + 1]);
    m2::check_text(m2::Tokenizer::load(folder.path()), m2::kFuzzText);
  });
}
