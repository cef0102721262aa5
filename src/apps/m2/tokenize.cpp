#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/m2/command.h"
#include "cli/interrupt.h"
#include "cli/output_file.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

nlohmann::ordered_json to_json(const Tokenizer& tokenizer, const Encoding& encoding) {
  nlohmann::ordered_json tokens = nlohmann::ordered_json::array(), offsets = tokens;
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    tokens.push_back(tokenizer.token_text(encoding.ids[i]));
    offsets.push_back({encoding.offsets[i].begin, encoding.offsets[i].end});
  }
  return {{"ids", encoding.ids}, {"tokens", tokens}, {"offsets", offsets}};
}

void tokenize_lines(const Tokenizer& tokenizer) {
  OutputFile output("", OutputFile::OnFailure::kRemove);
  std::string line;
  for (size_t number = 1; std::getline(std::cin, line); ++number) {
    stop_if_interrupted();
    try {
      output.stream() << to_json(tokenizer, tokenizer.encode(line)).dump() << '\n';
    } catch (const Error& error) {
      output.flush();
      throw Error(error.kind(), concat("line ", number, ": ", error.what()));
    }
  }
  stop_if_interrupted();
  output.commit();
}

}  // namespace

void add_tokenize(CLI::App& app) {
  CLI::App* command = app.add_subcommand("tokenize", "Show the tokens of texts, a line each");
  const auto flags = std::make_shared<ModelFlags>();
  flags->add_model(*command);
  flags->add_tokenizer(*command);
  command->get_option("--model-id")->required(false);  // a vocabulary alone does
  command->footer(
      "Reads lines from standard input and writes a JSON line for each: ids and tokens with the\n"
      "special ones, offsets [start, end) in characters ([0, 0] for a special token set "
      "around).\n\n"
      "Examples:\n"
      "  echo \"Hello world\" | m2 tokenize --model-id my-model\n"
      "  echo \"Hello world\" | m2 tokenize --tokenizer my-tokenizer");
  command->callback([flags] {
    if (flags->model_id.empty() && flags->tokenizer.empty()) {
      throw CLI::RequiredError("--model-id or --tokenizer");
    }
    if (flags->model_id.empty()) return tokenize_lines(Tokenizer::load(flags->tokenizer));
    const ModelDescription model = describe_model(flags->files());
    tokenize_lines(load_tokenizer(flags->tokenizer, model));
  });
}

}  // namespace m2
