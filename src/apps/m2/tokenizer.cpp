#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

#include "apps/m2/command.h"
#include "apps/m2/new_folder.h"
#include "cli/interrupt.h"
#include "cli/output_file.h"
#include "cli/progress.h"
#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "core/threads.h"
#include "documents/document_reader.h"
#include "documents/input_files.h"
#include "tokenizer/train_word_piece.h"
#include "tokenizer/word_counter.h"
#include "tokenizer/write_tokenizer.h"

namespace m2 {
namespace {

constexpr int64_t kLargestVocabulary = 1'000'000;  // its tokenizer.json is still read
constexpr uint64_t kBytesInKilobyte = 1000;

struct TrainFlags {
  std::vector<std::string> inputs;
  WordPieceTraining training;
  bool lowercase = true;
  int threads = 0;
  std::string output;
};

WordCounts count_words(const TrainFlags& flags, const NormalizerOptions& normalizer) {
  DocumentReader reader(list_input_files(flags.inputs), {});
  const double total = static_cast<double>(std::max<uint64_t>(1, reader.total_bytes()));
  ThreadPool pool(flags.threads > 0 ? flags.threads : physical_cores());
  Progress progress("counting words", "kB");
  const int64_t longest = WordPieceModel{}.max_characters_per_word;
  WordCounter counter(normalizer, longest, pool, [&](uint64_t bytes) {
    stop_if_interrupted();
    progress.update(static_cast<double>(reader.bytes_taken()) / total,
                    static_cast<int64_t>(bytes / kBytesInKilobyte));
  });
  while (const auto document = reader.next()) counter.add(document->text);
  WordCounts counts = counter.take();
  if (counts.words.empty()) {
    const size_t others = flags.inputs.size() - 1;
    throw input_error(concat(flags.inputs.front(),
                             others > 0 ? concat(" and ", others, " more") : "",
                             ": no words to learn from"));
  }
  return counts;
}

TrainedWordPiece train_on(const WordCounts& counts, const WordPieceTraining& training) {
  Progress progress("making tokens", "tokens");
  return train_word_piece(counts, training, [&](int64_t tokens) {
    stop_if_interrupted();
    progress.update(static_cast<double>(tokens) / static_cast<double>(training.vocab_size), tokens);
  });
}

std::string summary(const WordCounts& counts, const TrainedWordPiece& trained) {
  std::array<char, 32> rate{};
  std::snprintf(rate.data(), rate.size(), "%.4f", trained.tokens_per_word);
  return concat("words ", counts.total(), ", distinct words ", counts.words.size(), ", alphabet ",
                trained.alphabet, ", vocabulary ", trained.model.tokens.size(), ", tokens a word ",
                rate.data());
}

void train(const TrainFlags& flags) {
  NewFolder out(flags.output);  // what stands in the way is found first
  NormalizerOptions normalizer;
  normalizer.lowercase = normalizer.strip_accents = flags.lowercase;
  const WordCounts counts = count_words(flags, normalizer);
  const TrainedWordPiece trained = train_on(counts, flags.training);
  const TokenizerParts parts = bert_tokenizer(trained.model, normalizer);
  out.write("vocab.txt", vocabulary_text(parts.model));
  out.write("tokenizer_config.json", tokenizer_config_text(parts));
  out.write("tokenizer.json", tokenizer_json_text(parts));
  out.commit();
  const int64_t tokens = static_cast<int64_t>(trained.model.tokens.size());
  if (tokens < flags.training.vocab_size) {
    log_warning(concat(flags.output, ": has ", tokens, " tokens, not ", flags.training.vocab_size,
                       ": the text has no more pairs that occur ", flags.training.min_frequency,
                       " times (--min-frequency)"));
  }
  OutputFile output("", OutputFile::OnFailure::kRemove);
  output.stream() << summary(counts, trained) << '\n';
  output.commit();
}

void add_vocabulary_training(CLI::App& group) {
  CLI::App* command = group.add_subcommand("train", "Learn a WordPiece vocabulary from texts");
  const auto flags = std::make_shared<TrainFlags>();
  command
      ->add_option(
          "INPUT", flags->inputs,
          "Files of UTF-8 text, or of JSON lines with a \"text\" (.jsonl, .ndjson, .json), "
          "plain, .gz or .zst; or folders of them")
      ->required();
  command->add_option("--output", flags->output, "Folder to make")->required();
  command
      ->add_option("--vocab-size", flags->training.vocab_size,
                   "Tokens to end with, special ones included")
      ->check(CLI::Range(int64_t{1}, kLargestVocabulary))
      ->capture_default_str();
  command
      ->add_option("--min-frequency", flags->training.min_frequency,
                   "How often two pieces must stand side by side to become one")
      ->check(CLI::Range(int64_t{1}, INT64_MAX))
      ->capture_default_str();
  command
      ->add_option("--limit-alphabet", flags->training.limit_alphabet,
                   "Different characters to keep, the frequent ones; 0 is all. A word with another "
                   "character is unknown")
      ->check(CLI::Range(int64_t{0}, INT64_MAX))
      ->capture_default_str();
  command->add_flag("--lowercase,!--cased", flags->lowercase,
                    "Lower-case texts and drop accents, as bert-base-uncased (the default), or "
                    "keep both, as bert-base-cased");
  command->add_option("--threads", flags->threads, "Threads; 0 is one a physical core")
      ->check(CLI::Range(0, 1024))
      ->envname("M2_THREADS");
  command->footer(
      "Writes vocab.txt, tokenizer.json and tokenizer_config.json; [PAD] has the id 0. The same\n"
      "texts give the same files, whatever the threads. Ends with a line that counts what was\n"
      "read and made; its tokens a word are those of the texts themselves.\n\n"
      "Example:\n"
      "  m2 tokenizer train --vocab-size 8192 --output my-tokenizer corpus");
  command->callback([flags] { train(*flags); });
}

}  // namespace

void add_tokenizer(CLI::App& app) {
  CLI::App* group = app.add_subcommand("tokenizer", "Make tokenizers");
  group->require_subcommand(1);
  add_vocabulary_training(*group);
}

}  // namespace m2
