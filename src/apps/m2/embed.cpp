#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "apps/m2/command.h"
#include "apps/m2/earlier_run.h"
#include "apps/m2/id_array.h"
#include "apps/m2/text_source.h"
#include "apps/m2/vector_writer.h"
#include "cli/interrupt.h"
#include "cli/number_checks.h"
#include "cli/progress.h"
#include "core/error.h"
#include "core/log.h"
#include "core/text.h"

namespace m2 {
namespace {

// Texts handed to the embedder at once: few at first, so that a line is seen soon, then enough of
// each length to share the work that a length makes.
constexpr size_t kFirstTexts = 64;
constexpr size_t kTextsAtOnce = 1024;
constexpr int64_t kBytesAtOnce = 1 << 20;
// Where every text is padded to the model's length, as many as make so many tokens.
constexpr int64_t kPaddedTokensAtOnce = 1 << 18;

struct EmbedFlags {
  ModelFlags model;
  std::vector<std::string> texts, files;
  std::string input_format = "auto", input_ids, attention_mask, token_type_ids;
  std::string output, format, pooling, normalize, truncate = "error";
  std::optional<std::string> prompt, prompt_name;
  int64_t chunk = 0, overlap = 0;
  bool resume = false;
};

VectorFormat output_format(const EmbedFlags& flags) {
  if (flags.format == "jsonl") return VectorFormat::kJsonl;
  if (flags.format == "npy") return VectorFormat::kNpy;
  if (flags.format == "txt") return VectorFormat::kText;
  if (flags.output.empty()) return VectorFormat::kJsonl;
  const auto format = format_of_name(flags.output);
  if (!format) {
    throw usage_error(concat(flags.output,
                             ": the suffix names no format; use .jsonl, .npy or .txt, "
                             "or say --format"));
  }
  return *format;
}

int64_t bytes_of_stdin() {
  struct stat status{};
  const bool file = fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode);
  return file ? static_cast<int64_t>(status.st_size) : -1;
}

std::unique_ptr<TextSource> open_source(const EmbedFlags& flags) {
  if (!flags.texts.empty() && !flags.files.empty()) {
    throw usage_error("give texts or files (-f), not both");
  }
  const bool given = !flags.texts.empty() || !flags.files.empty();
  if (given && flags.input_format != "auto") {
    throw usage_error("--input-format is that of standard input, which is not read here");
  }
  if (!flags.texts.empty()) return texts_of_arguments(flags.texts);
  if (!flags.files.empty()) return texts_of_files(flags.files);
  if (isatty(STDIN_FILENO) == 1) {
    throw usage_error(
        "no texts: give some, name files with -f, or pipe lines in; see m2 embed --help");
  }
  const InputFormat format = flags.input_format == "lines"   ? InputFormat::kLines
                             : flags.input_format == "jsonl" ? InputFormat::kJsonl
                                                             : InputFormat::kAuto;
  return texts_of_stream(std::cin, format, bytes_of_stdin());
}

// Counts what a run has done, for the bar and for the last line.
struct RunCount {
  Progress progress{"embedding", "tokens"};
  size_t texts = 0;
  int64_t tokens = 0;      // of the texts written
  int64_t done_bytes = 0;  // of the input, behind the current batch

  void say() const {
    const double seconds = progress.seconds();
    std::array<char, 64> rate{};
    std::snprintf(rate.data(), rate.size(), "%.1f s, %.0f tokens/s", seconds,
                  static_cast<double>(tokens) / std::max(seconds, 1e-9));
    log_info(concat(texts, texts == 1 ? " text, " : " texts, ", tokens, " tokens in ", rate.data(),
                    ", peak memory ", bytes_text(static_cast<uint64_t>(peak_memory()))));
  }
};

void embed_batch(Embedder& embedder, const EmbedOptions& options,
                 const std::vector<SourceText>& batch, int64_t total_bytes, VectorWriter& writer,
                 RunCount& count) {
  std::vector<NamedText> texts;
  int64_t bytes = 0;
  for (const SourceText& text : batch) {
    texts.push_back(text.named);
    bytes += text.bytes;
  }
  const Pooling pooling = options.pooling.value_or(embedder.model().config.pooling);
  const int64_t before = count.tokens;
  const size_t first = count.texts;
  embedder.embed(
      texts, options,
      [&](const TextVectors& vectors) {
        WrittenText written;
        written.index = first + vectors.index;
        written.id = batch[vectors.index].id;
        written.report = &vectors;
        written.rows = vectors.rows;
        written.matrix = pooling == Pooling::kNone;
        written.values = vectors.values;
        count.progress.clear();
        writer.write(written);
        count.tokens += vectors.tokens;
      },
      [&](const Session::Done& done) {
        const double at =
            static_cast<double>(count.done_bytes) + done.share * static_cast<double>(bytes);
        count.progress.update(total_bytes > 0 ? at / static_cast<double>(total_bytes) : -1,
                              before + static_cast<int64_t>(done.tokens));
        return !interrupted();
      });
  count.done_bytes += bytes;
  count.texts += batch.size();
}

size_t texts_at_once(const Model& model) {
  if (model.config.padding == Padding::kNone) return kTextsAtOnce;
  const int64_t count = kPaddedTokensAtOnce / model.config.max_length();
  return std::clamp(static_cast<size_t>(count), size_t{1}, kTextsAtOnce);
}

// Finished JSON lines are worth keeping; half an array is not.
std::unique_ptr<OutputFile> open_output(const EmbedFlags& flags, VectorFormat format,
                                        uint64_t kept_bytes = 0) {
  const auto on_failure = format == VectorFormat::kJsonl ? OutputFile::OnFailure::kKeep
                                                         : OutputFile::OnFailure::kRemove;
  return std::make_unique<OutputFile>(flags.output, on_failure, kept_bytes);
}

// What a stopped run has done is not thrown away for a flag forgotten.
void spare_an_earlier_run(const EmbedFlags& flags, VectorFormat format) {
  const std::string part = flags.output + ".part";
  std::error_code problem;
  const auto bytes = std::filesystem::file_size(part, problem);
  if (format != VectorFormat::kJsonl || flags.output.empty() || problem || bytes == 0) return;
  throw usage_error(concat(part,
                           ": holds what a stopped run has done; go on with it by --resume, "
                           "or remove it"));
}

// Embeds what `source` still has, `waiting` first.
void embed_rest(Embedder& embedder, const EmbedOptions& options, TextSource& source,
                std::optional<SourceText> waiting, VectorWriter& writer, RunCount& count) {
  const size_t most = texts_at_once(embedder.model());
  size_t window = std::min(kFirstTexts, most);
  std::vector<SourceText> batch;
  int64_t bytes = 0;
  const auto run = [&] {
    if (!batch.empty()) {
      embed_batch(embedder, options, batch, source.total_bytes(), writer, count);
    }
    batch.clear();
    bytes = 0;
    window = std::min(2 * window, most);
  };
  for (; waiting; waiting = source.next()) {
    bytes += waiting->bytes;
    batch.push_back(std::move(*waiting));
    if (batch.size() == window || bytes >= kBytesAtOnce) run();
    stop_if_interrupted();
  }
  run();
}

void embed_texts(const EmbedFlags& flags, const EmbedOptions& options, VectorFormat format) {
  const auto source = open_source(flags);
  std::unique_ptr<OutputFile> output;
  if (!flags.resume) {
    spare_an_earlier_run(flags, format);
    output = open_output(flags, format);  // a wrong path is told first
  }
  const auto model = load_model(flags.model.files());
  Embedder embedder(model, load_tokenizer(flags.model.tokenizer, *model), flags.model.session());
  RunCount count;
  std::optional<SourceText> waiting;
  if (flags.resume) {
    EarlierRun earlier(flags.output, *source);
    earlier.verify(embedder, options);
    count.texts = earlier.texts();
    count.done_bytes = earlier.input_bytes();
    log_info(concat(earlier.texts(), " texts were done before"));
    waiting = source->next();
    if (!waiting && earlier.ended()) return;
    output = open_output(flags, format, earlier.keep());
  } else {
    waiting = source->next();
  }
  const auto writer = make_writer(format, *output);
  embed_rest(embedder, options, *source, std::move(waiting), *writer, count);
  if (count.texts == 0) throw input_error("standard input: holds no text");
  writer->finish();
  output->commit();
  count.progress.clear();
  count.say();
}

void embed_ids(const EmbedFlags& flags, const EmbedOptions& options, VectorFormat format) {
  if (!flags.texts.empty() || !flags.files.empty()) {
    throw usage_error("--input-ids takes the place of texts; give one or the other");
  }
  if (flags.prompt || flags.prompt_name || flags.chunk != 0 || flags.overlap != 0 || flags.resume) {
    throw usage_error(
        "--prompt, --prompt-name, --chunk, --overlap and --resume belong to texts, not ids");
  }
  if (flags.truncate != "error" || flags.input_format != "auto") {
    throw usage_error("--truncate and --input-format belong to texts, not ids");
  }
  spare_an_earlier_run(flags, format);
  const auto output = open_output(flags, format);
  const auto writer = make_writer(format, *output);
  const IdArray ids = read_ids(flags.input_ids);
  const IdArray mask = read_ids_like(ids, flags.attention_mask, flags.input_ids);
  const IdArray types = read_ids_like(ids, flags.token_type_ids, flags.input_ids);
  const auto model = load_model(flags.model.files());
  Session session(model, flags.model.session());
  std::vector<TokenSequence> sequences;
  for (size_t row = 0; row < ids.rows; ++row) {
    sequences.push_back(
        sequence_from_ids(ids.row(row), types.row(row), mask.row(row), model->config.padding, row));
    try {
      session.check(sequences.back());
    } catch (const Error& error) {
      throw Error(error.kind(), concat("row ", row, ": ", error.what()));
    }
  }
  const VectorRequest request = request_of(*model, options.pooling, options.normalise);
  RunCount count;
  session.compute(
      sequences, request,
      [&](const SequenceVectors& vectors) {
        WrittenText written;
        written.index = count.texts++;
        written.rows = vectors.rows;
        written.matrix = request.pooling == Pooling::kNone;
        written.values = vectors.values;
        count.progress.clear();
        writer->write(written);
        count.tokens += static_cast<int64_t>(sequences[vectors.index].ids.size());
      },
      [&](const Session::Done& done) {
        count.progress.update(done.share, static_cast<int64_t>(done.tokens));
        return !interrupted();
      });
  writer->finish();
  output->commit();
  count.say();
}

void embed(const EmbedFlags& flags) {
  EmbedOptions options;
  options.pooling = parse_pooling(flags.pooling);
  if (!flags.normalize.empty()) options.normalise = flags.normalize == "true";
  options.prompt = flags.prompt;
  options.prompt_name = flags.prompt_name;
  options.chunk = flags.chunk;
  options.overlap = flags.overlap;
  options.truncation = flags.truncate == "end"     ? Truncation::kEnd
                       : flags.truncate == "start" ? Truncation::kStart
                                                   : Truncation::kError;
  const VectorFormat format = output_format(flags);
  if (flags.resume && (flags.output.empty() || format != VectorFormat::kJsonl)) {
    throw usage_error("--resume goes on with a file of JSON lines: name it with --output");
  }
  if (flags.input_ids.empty()) {
    if (!flags.attention_mask.empty() || !flags.token_type_ids.empty()) {
      throw usage_error("--attention-mask and --token-type-ids belong to --input-ids");
    }
    embed_texts(flags, options, format);
  } else {
    embed_ids(flags, options, format);
  }
}

void add_inputs(CLI::App& command, EmbedFlags& flags) {
  command.add_option("TEXT", flags.texts, "Texts; without any, and without -f, standard input");
  command.add_option("-f,--file", flags.files, "A file that is one text; may be repeated")
      ->allow_extra_args(false);
  command
      .add_option("--input-format", flags.input_format,
                  "Of standard input: lines, one text each; jsonl, objects with \"text\" and "
                  "perhaps \"id\"; auto, by the first line")
      ->check(CLI::IsMember({"auto", "lines", "jsonl"}))
      ->capture_default_str();
  command.add_option("--input-ids", flags.input_ids,
                     "Token ids instead of texts, .npy of [texts][tokens]");
  command.add_option("--attention-mask", flags.attention_mask, "Of those ids; ones where left out");
  command.add_option("--token-type-ids", flags.token_type_ids,
                     "Of those ids; zeros where left out");
}

void add_texts(CLI::App& command, EmbedFlags& flags) {
  command.add_option("--prompt", flags.prompt,
                     "Set before every text; \"\" for none where the model has one by default");
  command.add_option("--prompt-name", flags.prompt_name,
                     "One of the model's own prompts; m2 info lists them");
  command
      .add_option("--truncate", flags.truncate,
                  "A text longer than the model: error, or cut its end or its start")
      ->check(CLI::IsMember({"error", "end", "start"}))
      ->capture_default_str();
  command
      .add_option("--chunk", flags.chunk,
                  "One vector for each chunk of at most so many tokens, prompt and special ones "
                  "included")
      ->check(above_zero());
  command.add_option("--overlap", flags.overlap, "Tokens that a chunk shares with the next")
      ->check(not_negative());
}

void add_outputs(CLI::App& command, EmbedFlags& flags) {
  command.add_option("-o,--output", flags.output,
                     "File for the vectors, standard output by default; the suffix .jsonl, .npy or "
                     ".txt names the format");
  command.add_option("--format", flags.format, "Format where no suffix names it; jsonl by default")
      ->check(CLI::IsMember({"jsonl", "npy", "txt"}));
  command
      .add_option(
          "--pooling", flags.pooling,
          "cls: hidden state of token 0; mean: of all tokens; pooler: the model's own head; "
          "none: every token. The model's own by default")
      ->check(CLI::IsMember({"cls", "mean", "pooler", "none"}));
  command
      .add_option("--normalize", flags.normalize,
                  "Scale vectors to length 1; as the model says by default")
      ->check(CLI::IsMember({"true", "false"}));
  command.add_flag("--resume", flags.resume,
                   "Go on where an earlier run of the same command stopped: behind the lines of "
                   "OUTPUT.part, or of OUTPUT");
}

}  // namespace

void add_embed(CLI::App& app) {
  CLI::App* command = app.add_subcommand("embed", "Turn texts into vectors");
  const auto flags = std::make_shared<EmbedFlags>();
  flags->model.add_model(*command);
  flags->model.add_tokenizer(*command);
  add_inputs(*command, *flags);
  add_texts(*command, *flags);
  add_outputs(*command, *flags);
  flags->model.add_compute(*command);
  flags->model.add_dtype(*command);
  command->footer(
      "A jsonl line has index, id (where the input has one), tokens, truncated and embedding; a "
      "cut\n"
      "text also total_tokens, characters and kept_characters, a chunk chunk, chunks and\n"
      "character_span.\n\n"
      "Examples:\n"
      "  m2 embed --model-id my-model \"a first text\" \"and a second\"\n"
      "  m2 embed --model-id my-model -f novel.txt -f essay.txt --output vectors.npy\n"
      "  m2 embed --model-id my-model --truncate end --output vectors.jsonl < texts.jsonl");
  command->callback([flags] { embed(*flags); });
}

}  // namespace m2
