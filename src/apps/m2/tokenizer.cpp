#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string_view>

#include "apps/m2/command.h"
#include "apps/m2/new_folder.h"
#include "cli/interrupt.h"
#include "cli/output_file.h"
#include "cli/progress.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mapped_file.h"
#include "core/text.h"
#include "core/threads.h"
#include "tokenizer/train_word_piece.h"
#include "tokenizer/word_counter.h"
#include "tokenizer/write_tokenizer.h"

namespace m2 {
namespace {

constexpr int64_t kLargestVocabulary = 1'000'000;  // its tokenizer.json is still read
constexpr double kBytesInKilobyte = 1000;

struct TrainFlags {
  std::vector<std::string> files;
  WordPieceTraining training;
  bool lowercase = true;
  int threads = 0;
  std::string output;
};

using TakeText = std::function<void(std::string_view text)>;

// Hands over the text of each file. What `take` says of a text gets the file's name in front.
void read_texts(const std::vector<std::string>& files, const TakeText& take) {
  for (const std::string& path : files) {
    const MappedFile file(path);
    const auto bytes = file.bytes();
    try {
      take({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kInput) throw;
      throw input_error(concat(path, ": ", error.what()));
    }
  }
}

// Found missing before the first is read, not after minutes.
uint64_t total_bytes(const std::vector<std::string>& files) {
  uint64_t total = 0;
  for (const std::string& path : files) total += MappedFile(path).bytes().size();
  return total;
}

WordCounts count_words(const TrainFlags& flags, const NormalizerOptions& normalizer) {
  const double total = static_cast<double>(std::max<uint64_t>(1, total_bytes(flags.files)));
  ThreadPool pool(flags.threads > 0 ? flags.threads : physical_cores());
  Progress progress("counting words", "kB");
  const int64_t longest = WordPieceModel{}.max_characters_per_word;
  WordCounter counter(normalizer, longest, pool, [&](uint64_t bytes) {
    stop_if_interrupted();
    const double done = static_cast<double>(bytes);
    progress.update(done / total, static_cast<int64_t>(done / kBytesInKilobyte));
  });
  read_texts(flags.files, [&](std::string_view text) { counter.add(text); });
  return counter.take();
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
  if (counts.words.empty()) {
    const size_t others = flags.files.size() - 1;
    throw input_error(concat(flags.files.front(),
                             others > 0 ? concat(" and ", others, " more files") : "",
                             ": no words to learn from"));
  }
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

void add_train(CLI::App& group) {
  CLI::App* command = group.add_subcommand("train", "Learn a WordPiece vocabulary from text files");
  const auto flags = std::make_shared<TrainFlags>();
  command->add_option("FILE", flags->files, "Text files, UTF-8")->required();
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
      "  m2 tokenizer train --vocab-size 8192 --output my-tokenizer corpus/*.txt");
  command->callback([flags] { train(*flags); });
}

}  // namespace

void add_tokenizer(CLI::App& app) {
  CLI::App* group = app.add_subcommand("tokenizer", "Make tokenizers");
  group->require_subcommand(1);
  add_train(*group);
}

}  // namespace m2
