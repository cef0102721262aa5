#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/m2/command.h"
#include "cli/interrupt.h"
#include "cli/output_file.h"
#include "embedding/mask_filler.h"

namespace m2 {
namespace {

struct FillMaskFlags {
  ModelFlags model;
  std::string text;
  size_t top = 5;
  bool json = false;
};

void print(const Tokenizer& tokenizer, const std::vector<MaskedPlace>& places,
           std::ostream& output) {
  for (size_t i = 0; i < places.size(); ++i) {
    if (places.size() > 1) output << "mask " << i + 1 << '\n';
    for (const WordGuess& guess : places[i].guesses) {
      std::array<char, 32> number{};
      std::snprintf(number.data(), number.size(), "%8.4f  ", guess.probability);
      output << number.data() << tokenizer.token_text(guess.id) << '\n';
    }
  }
}

void print_json(const Tokenizer& tokenizer, const std::vector<MaskedPlace>& places,
                std::ostream& output) {
  nlohmann::ordered_json masks = nlohmann::ordered_json::array();
  for (const MaskedPlace& place : places) {
    nlohmann::ordered_json guesses = nlohmann::ordered_json::array();
    for (const WordGuess& guess : place.guesses) {
      guesses.push_back({{"token", tokenizer.token_text(guess.id)},
                         {"id", guess.id},
                         {"probability", guess.probability}});
    }
    masks.push_back({{"position", place.position}, {"guesses", guesses}});
  }
  output << nlohmann::ordered_json({{"masks", masks}}).dump() << '\n';
}

void fill_mask(const FillMaskFlags& flags) {
  ModelFiles files = flags.model.files();
  files.with_mlm_head = true;
  const auto model = load_model(files);
  MaskFiller filler(model, load_tokenizer(flags.model.tokenizer, *model), flags.model.session());
  const std::vector<MaskedPlace> places =
      filler.fill(flags.text, flags.top, [](const Session::Done&) { return !interrupted(); });
  OutputFile output("", OutputFile::OnFailure::kRemove);
  (flags.json ? print_json : print)(filler.tokenizer(), places, output.stream());
  output.commit();
}

}  // namespace

void add_fill_mask(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("fill-mask", "Name the likeliest words for the [MASK]s of a text");
  const auto flags = std::make_shared<FillMaskFlags>();
  command->add_option("TEXT", flags->text, "A text with one [MASK] or more")->required();
  flags->model.add_model(*command);
  flags->model.add_tokenizer(*command);
  flags->model.add_compute(*command);
  flags->model.add_dtype(*command);
  command->add_option("--top", flags->top, "Words for each mask")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_flag("--json", flags->json, "One JSON object instead of a table");
  command->footer(
      "The model must have its head of masked language modelling, as checkpoints of pretraining\n"
      "do. The first column is the probability of the word, over the whole vocabulary.\n\n"
      "Example:\n"
      "  m2 fill-mask --model-id my-model \"Paris is the [MASK] of France.\"");
  command->callback([flags] { fill_mask(*flags); });
}

}  // namespace m2
