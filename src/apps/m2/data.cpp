#include <algorithm>
#include <charconv>
#include <iostream>
#include <optional>

#include "apps/m2/command.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "data/build.h"

namespace m2 {
namespace {

struct DataBuildFlags {
  BuildOptions build;
  std::string tokenizer, short_documents = "keep";
  std::string largest_document = "1GiB", largest_expansion = "256GiB";
  int threads = 0;
};

[[noreturn]] void refuse_short_documents(const std::string& text) {
  throw usage_error(concat("--short-documents \"", printable(text),
                           "\" is none of keep, concatenate and keep=A,concatenate=B with "
                           "numbers of which one is above 0"));
}

// A number at least 0 that is all of `text`.
std::optional<double> parse_weight(const std::string& text) {
  double weight = -1;
  const char* end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, weight);
  const bool whole = rest == end && problem == std::errc();
  return whole && weight >= 0 && weight < 1e9 ? std::optional(weight) : std::nullopt;
}

// The share to concatenate: of "keep", "concatenate", "keep=1,concatenate=3" (0.75).
double concatenate_share(const std::string& text) {
  double keep = 0, concatenate = 0;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const size_t equal = part.find('=');
    const std::string name = part.substr(0, equal);
    const std::optional<double> weight =
        equal == part.npos ? 1.0 : parse_weight(part.substr(equal + 1));
    if (!weight || (name != "keep" && name != "concatenate")) refuse_short_documents(text);
    (name == "keep" ? keep : concatenate) = *weight;
    begin = end + 1;
  }
  if (keep + concatenate == 0) refuse_short_documents(text);
  return concatenate / (keep + concatenate);
}

void print_split(const std::string& folder, const SplitReport& split) {
  std::cout << folder << ": " << split.documents << " documents, " << split.samples << " samples, "
            << split.tokens << " tokens\n";
}

void build_data(const DataBuildFlags& flags) {
  BuildOptions options = flags.build;
  options.assembly.concatenate_share = concatenate_share(flags.short_documents);
  options.limits = {parse_bytes(flags.largest_document), parse_bytes(flags.largest_expansion)};
  const Tokenizer tokenizer = Tokenizer::load(flags.tokenizer);
  ThreadPool pool(flags.threads > 0 ? flags.threads : physical_cores());
  Progress progress("tokenising", "tokens");
  int64_t made = 0;
  const BuildReport report =
      build_dataset(tokenizer, options, pool, [&](double done, int64_t tokens) {
        stop_if_interrupted();
        made = tokens;
        progress.update(done, tokens);
      });
  progress.clear();
  if (report.was_whole) log_warning(options.output + ": was whole already; nothing was done");
  if (report.empty_documents > 0) {
    log_warning(concat(report.empty_documents, " documents have no token and were left out"));
  }
  log_info(concat(made, " tokens in ", progress.seconds(), " s on ", pool.workers(), " threads"));
  print_split(options.output + "/train", report.train);
  if (report.validation.samples > 0) print_split(options.output + "/val", report.validation);
}

void add_build(CLI::App& data) {
  CLI::App* command =
      data.add_subcommand("build", "Turn text into tokenised shards for m2 train mlm");
  const auto flags = std::make_shared<DataBuildFlags>();
  BuildOptions& build = flags->build;
  command
      ->add_option("--tokenizer", flags->tokenizer,
                   "Vocabulary: a model's folder, tokenizer.json or vocab.txt")
      ->required()
      ->envname("M2_TOKENIZER");
  command->add_option("--length", build.length, "Most tokens of a sample, [CLS] and [SEP] included")
      ->required();
  command->add_option("--output", build.output, "Folder to make: train/ and val/ in it")
      ->required();
  command->add_option("--valid-fraction", build.valid_fraction,
                      "Share of the documents to hold back in val/, picked by a hash of the text; "
                      "at least one, of a single document its last pieces");
  command->add_flag("--truncate", build.assembly.truncate,
                    "Keep only the first piece of a document that is longer than a sample");
  command
      ->add_option("--short-documents", flags->short_documents,
                   "Documents shorter than a sample: keep (each a sample), concatenate (to full "
                   "samples), or in proportions, keep=1,concatenate=3")
      ->capture_default_str();
  command->add_option("--threads", flags->threads, "Threads; 0 is one a physical core")
      ->check(CLI::Range(0, 1024))
      ->envname("M2_THREADS");
  command->add_flag("--resume", build.resume,
                    "Go on with a build that was ended; gives the same bytes");
  command->add_option("--shard-tokens", build.shard_tokens, "Tokens after which a shard is closed")
      ->capture_default_str();
  command
      ->add_option("--max-document-bytes", flags->largest_document,
                   "Longest text, or line of JSON, that is read")
      ->capture_default_str();
  command
      ->add_option("--max-expanded-bytes", flags->largest_expansion,
                   "Most that one .gz or .zst file may expand to")
      ->capture_default_str();
  command->add_option("INPUT", build.inputs, "Files and folders")->required();
  command->footer(
      "A .jsonl, .ndjson or .json file holds a document a line, in \"text\"; any other file is "
      "one\n"
      "document of plain text; both may be .gz or .zst. Of a folder the text and JSON files are\n"
      "taken, in sorted order. docs/data.md describes what is written.\n\n"
      "Example:\n"
      "  m2 data build --tokenizer vocab.txt --length 128 --valid-fraction 0.01 --output my-data "
      "texts/");
  command->callback([flags] { build_data(*flags); });
}

}  // namespace

void add_data(CLI::App& app) {
  CLI::App* command = app.add_subcommand("data", "Make data for training");
  command->require_subcommand(1);
  command->footer("Example:\n  m2 data build --help");
  add_build(*command);
}

}  // namespace m2
