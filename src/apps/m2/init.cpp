#include <filesystem>

#include "apps/m2/command.h"
#include "checkpoint/new_file.h"
#include "checkpoint/safetensors.h"
#include "cli/interrupt.h"
#include "cli/number_checks.h"
#include "config/load_config.h"
#include "config/parameters.h"
#include "config/presets.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mapped_file.h"
#include "core/text.h"
#include "tokenizer/vocabulary_files.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kVocabularyMultiple = 8;

struct InitFlags {
  std::string preset, config, vocab, padding, out_dir;
  int64_t length = 0;
  uint64_t seed = 0;
};

ModelConfig make_config(const InitFlags& flags, int64_t words) {
  ModelConfig config;
  if (flags.config.empty()) {
    config = preset(flags.preset, flags.length);
  } else {
    config = load_model_config(flags.config);
    if (config.family == Family::kM2Bert) config.long_conv_l_max = flags.length;
    config.max_position_embeddings = flags.length;
  }
  config.vocab_size = (words + kVocabularyMultiple - 1) / kVocabularyMultiple * kVocabularyMultiple;
  config.padding = parse_padding(flags.padding).value_or(Padding::kNone);
  config.padding_stated = true;
  config.source = flags.config.empty() ? "preset " + flags.preset : flags.config;
  validate(config);
  return config;
}

void write_weights(const ModelConfig& config, uint64_t seed, const std::string& path) {
  std::vector<AlignedBuffer<float>> values;
  std::vector<NamedTensor> tensors;
  for (const Parameter& parameter : parameters(config)) {
    if (!parameter.tied_to.empty()) continue;
    stop_if_interrupted();
    const size_t count = static_cast<size_t>(parameter.elements());
    AlignedBuffer<float>& buffer = values.emplace_back(count);
    initialise(parameter, config, seed, {buffer.data(), count});
    tensors.push_back({parameter.name, {DType::kF32, parameter.shape, buffer.data()}});
  }
  write_safetensors(path, tensors, {{"format", "pt"}});
}

void init(const InitFlags& flags) {
  if (flags.preset.empty() == flags.config.empty()) {
    throw usage_error("give either --preset NAME or --config FILE; see m2 init --help");
  }
  const ModelConfig config = make_config(flags, Tokenizer::load(flags.vocab).vocab_size());

  const fs::path folder(flags.out_dir);
  std::error_code problem;
  if (fs::exists(folder / "model.safetensors", problem)) {
    throw usage_error(concat(flags.out_dir, ": holds a model already; name a new folder"));
  }
  fs::create_directories(folder, problem);
  if (problem) throw failed_error(concat(flags.out_dir, ": cannot be made: ", problem.message()));
  // The configuration last: without one, what a full disk left behind is no model.
  write_weights(config, flags.seed, folder / "model.safetensors");
  for (const VocabularyFile& file : vocabulary_files(flags.vocab)) {
    write_new_file(folder / file.name, MappedFile(file.path).bytes());
  }
  write_new_file(folder / "config.json", to_json(config));
  log_info(concat(flags.out_dir, ": ", family_name(config.family), " of ", count_parameters(config),
                  " parameters, random, for texts of up to ", config.max_length(), " tokens"));
}

}  // namespace

void add_init(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("init", "Make a model of random weights, to try, time or train");
  const auto flags = std::make_shared<InitFlags>();
  std::vector<std::string> names;
  for (const Preset& known : kPresets) names.emplace_back(known.name);
  command->add_option("--preset", flags->preset, "A published size: " + join(names, ", "));
  command->add_option("--config", flags->config, "Or a configuration, config.json or YAML");
  command->add_option("--length", flags->length, "Longest text in tokens")->required();
  command
      ->add_option("--vocab", flags->vocab,
                   "Vocabulary, one WordPiece a line, a tokenizer.json or a folder with either; "
                   "copied into the model's folder")
      ->required();
  command->add_option("--seed", flags->seed, "Of the random numbers")
      ->check(not_negative())
      ->capture_default_str();
  command
      ->add_option("--padding", flags->padding,
                   "Contract of the new model: none computes a text at its own length (default), "
                   "max_length pads it to the model's, as the published models do")
      ->check(CLI::IsMember({"none", "max_length"}));
  command->add_option("OUT_DIR", flags->out_dir, "Folder to make")->required();
  command->footer(
      "The weights have the published initialisation: embeddings, layers and pooler, no heads. "
      "The\n"
      "same seed gives the same bytes everywhere.\n\n"
      "Example:\n"
      "  m2 init --preset m2-bert-80M --length 2048 --vocab vocab.txt --seed 1 my-model");
  command->callback([flags] { init(*flags); });
}

}  // namespace m2
