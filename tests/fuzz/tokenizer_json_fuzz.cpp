#include "fuzz_files.h"
#include "tokenizer_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const m2::FuzzFolder folder;
  return m2::fuzz_reader([&] {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto tokenizer = m2::Tokenizer::load(folder.write("tokenizer.json", text));
    m2::check_text(tokenizer, m2::kFuzzText);
  });
}
