// Embeds the lines of stdin with products of a number type, by plain loops where the machine has
// none of it. Driven by number_types_test.py.
//   number_types_probe MODEL fp32|bf16|int8    a line of numbers a text
#include <iostream>
#include <string>

#include "core/error.h"
#include "embedding/embedder.h"
#include "ops/operand.h"

namespace {

using namespace m2;

DType parse(const std::string& name) {
  for (const DType type : kProductTypes) {
    if (name == dtype_name(type)) return type;
  }
  throw usage_error(name + " is no number type of products");
}

void embed_lines(const std::string& path, const std::string& type) {
  emulate_products_for_test(true);
  ModelFiles files = {path, "", std::nullopt};
  files.dtype = parse(type);
  const auto model = load_model(files);
  Embedder embedder(model, load_tokenizer("", *model), {});
  std::vector<NamedText> texts;
  for (std::string line; std::getline(std::cin, line);) texts.push_back({line, "a line"});
  EmbedOptions options;
  options.truncation = Truncation::kEnd;
  embedder.embed(texts, options, [](const TextVectors& vectors) {
    for (const float value : vectors.values) std::cout << value << ' ';
    std::cout << '\n';
  });
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 3) throw usage_error("number_types_probe MODEL fp32|bf16|int8 < TEXTS");
    std::cout.precision(9);
    embed_lines(argv[1], argv[2]);
    return 0;
  } catch (const Error& error) {
    std::cerr << error.what() << '\n';
    return static_cast<int>(error.kind());
  }
}
