// The files of a sentence-transformers folder, bytes 0 between them.
#include "config/sentence_layout.h"
#include "fuzz_files.h"
#include "fuzz_input.h"

namespace {

// Which part of the input a file is. Modules in folders of other first letters share two contents.
size_t part_of(const std::string& name) {
  if (name == "modules.json") return 0;
  if (name == "config_sentence_transformers.json") return 1;
  if (name.ends_with("sentence_bert_config.json")) return 2;
  if (name.ends_with("tokenizer_config.json")) return 3;
  return 4 + static_cast<size_t>(name.front() % 2 == 0);
}

bool leaves_folder(const std::string& name) {
  return name.front() == '/' || name.starts_with("../") || name.find("/../") != name.npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return m2::fuzz_reader([&] {
    const auto parts = m2::fuzz_parts(data, size, 6);
    const auto read = [&](const std::string& name) -> std::optional<std::string> {
      if (leaves_folder(name)) __builtin_trap();
      const std::string_view content = parts[part_of(name)];
      if (content.empty()) return std::nullopt;
      return std::string(content);
    };
    const auto layout = m2::parse_sentence_layout(read, "model");
    if (layout && !layout->pooling) __builtin_trap();
  });
}
