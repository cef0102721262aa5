#include "data/build.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <utility>

#include "checkpoint/folder_lock.h"
#include "checkpoint/json.h"
#include "core/error.h"
#include "core/text.h"
#include "data/build_plan.h"
#include "data/build_state.h"
#include "data/document_tokens.h"
#include "data/split_writer.h"

namespace m2 {
namespace {

// The documents of the shards to be written next, and which of them are held back.
class PendingDocuments {
 public:
  explicit PendingDocuments(const BuildOptions& options) : options_(options) {}

  // Whether a shard can be made of them without knowing what follows: that it is large enough, and
  // that of the first documents one can be held back and another stays.
  bool fill_a_shard(bool first) const {
    const bool decided = options_.valid_fraction == 0 || !first || documents_.size() > 1;
    return tokens_ >= options_.shard_tokens && decided;
  }

  void add(TokenizedDocument document) {
    tokens_ += document.ids.size();
    documents_.push_back(std::move(document));
  }

  // Each document's split; of the first ones those with the smallest hash are held back where the
  // fraction picks none, or one where all are equal.
  std::vector<bool> held_back(bool first) const {
    std::vector<bool> held;
    for (const TokenizedDocument& document : documents_) {
      held.push_back(is_held_back(document.hash, options_.valid_fraction));
    }
    const bool none = std::find(held.begin(), held.end(), true) == held.end();
    if (first && none && options_.valid_fraction > 0 && documents_.size() > 1) {
      const auto smallest = std::min_element(
          documents_.begin(), documents_.end(),
          [](const auto& one, const auto& other) { return one.hash < other.hash; });
      const auto is_equal = [&](const auto& one) { return one.hash == smallest->hash; };
      std::transform(documents_.begin(), documents_.end(), held.begin(), is_equal);
      if (std::all_of(held.begin(), held.end(), std::identity())) held.assign(held.size(), false);
      held[static_cast<size_t>(smallest - documents_.begin())] = true;
    }
    return held;
  }

  const std::vector<TokenizedDocument>& documents() const { return documents_; }

  void clear() {
    documents_.clear();
    tokens_ = 0;
  }

 private:
  const BuildOptions& options_;
  std::vector<TokenizedDocument> documents_;
  uint64_t tokens_ = 0;
};

class Build {
 public:
  Build(const Tokenizer& tokenizer, const BuildOptions& options, BuildState state)
      : options_(options),
        state_(std::move(state)),
        content_{options.length, vocabulary_of(tokenizer)},
        frame_(sample_frame(content_.vocabulary.special, options.length)),
        train_(state_.train, options, content_, frame_),
        validation_(state_.validation, options, content_, frame_),
        pending_(options),
        first_(state_.train.documents + state_.validation.documents == 0) {}

  void take(TokenizedDocument document) {
    if (document.ids.empty()) {
      ++empty_since_;
      return;
    }
    if (pending_.fill_a_shard(first_)) {
      place_documents();
      write_shards();
      save_state(document.position);
    }
    pending_.add(std::move(document));
  }

  BuildReport finish() {
    const auto& documents = pending_.documents();
    if (first_ && documents.empty()) {
      throw input_error("the input holds no document with a token; there is nothing to build");
    }
    const bool single = first_ && documents.size() == 1 && options_.valid_fraction > 0;
    if (single) {
      cut_document(documents.front());
    } else {
      place_documents();
    }
    train_.finish();
    validation_.finish();
    if (train_.is_empty()) {
      throw input_error(concat("a validation fraction of ", options_.valid_fraction,
                               " leaves no document to train on; lower it or add documents"));
    }
    state_.empty_documents += std::exchange(empty_since_, 0);
    write_shards();
    // What is data says so last of all, train's after val's: a build cut between goes on.
    if (!validation_.is_empty()) validation_.write_index(state_.plan);
    train_.write_index(state_.plan);
    std::error_code ignored;
    std::filesystem::remove(std::filesystem::path(options_.output) / kBuildStateFile, ignored);
    return report();
  }

 private:
  void place_documents() {
    const std::vector<bool> held = pending_.held_back(first_);
    for (size_t i = 0; i < held.size(); ++i) {
      const TokenizedDocument& document = pending_.documents()[i];
      (held[i] ? validation_ : train_).add(document.ids, document.hash);
    }
    pending_.clear();
    first_ = false;
  }

  // The last pieces of the only document are held back.
  void cut_document(const TokenizedDocument& document) {
    const uint64_t pieces = train_.pieces_of(document.ids.size());
    if (pieces < 2) {
      throw input_error(
          "the input is one document of one piece, of which none can be held back for validation; "
          "add documents, or leave --valid-fraction out");
    }
    const auto wanted = std::llround(options_.valid_fraction * static_cast<double>(pieces));
    const uint64_t held = std::clamp<uint64_t>(static_cast<uint64_t>(wanted), 1, pieces - 1);
    const std::span<const int32_t> ids(document.ids);
    const size_t cut = (pieces - held) * frame_.room;
    train_.add(ids.first(cut), document.hash);
    validation_.add(ids.subspan(cut), document.hash);
  }

  void write_shards() {
    train_.write_shard();
    validation_.write_shard();
  }

  void save_state(const DocumentPosition& position) {
    state_.position = position;
    state_.empty_documents += std::exchange(empty_since_, 0);
    save(state_, options_.output);
  }

  BuildReport report() const {
    const auto of = [](const SplitState& split) {
      return SplitReport{split.documents, split.samples(), split.tokens()};
    };
    return {of(state_.train), of(state_.validation), state_.empty_documents, false};
  }

  const BuildOptions& options_;
  BuildState state_;
  ShardContent content_;
  SampleFrame frame_;
  SplitWriter train_, validation_;
  PendingDocuments pending_;
  bool first_;  // no document is in a shard yet
  uint64_t empty_since_ = 0;
};

void check_options(const BuildOptions& options) {
  if (options.inputs.empty()) throw usage_error("there is no input to build from");
  if (!(options.valid_fraction >= 0 && options.valid_fraction < 1)) {
    throw usage_error(concat("a validation fraction of ", options.valid_fraction,
                             " is none; it is at least 0 and below 1"));
  }
  if (!(options.assembly.concatenate_share >= 0 && options.assembly.concatenate_share <= 1)) {
    throw usage_error("the share of short documents to concatenate lies between 0 and 1");
  }
  if (options.length > INT32_MAX) throw usage_error("samples are shorter than 2^31 tokens");
  if (options.shard_tokens < 1 || options.shard_tokens > uint64_t{1} << 30) {
    throw usage_error("a shard has between 1 and 2^30 tokens");
  }
}

}  // namespace

BuildReport build_dataset(const Tokenizer& tokenizer, const BuildOptions& options,
                          Executor& executor, const BuildProgress& progress) {
  check_options(options);
  // Refused before anything is read.
  const SampleFrame frame = sample_frame(tokenizer.special_ids(), options.length);
  std::vector<InputFile> files = list_input_files(options.inputs);
  const nlohmann::json plan = build_plan(options, vocabulary_of(tokenizer), files);
  std::optional<BuildReport> whole = report_of_whole(options, plan);
  if (whole) return *whole;
  const FolderLock lock(options.output, "builds data");
  BuildState state = begin_or_resume(options, plan);
  DocumentReader reader(std::move(files), options.limits);
  reader.skip_to(state.position);
  Build build(tokenizer, options, std::move(state));
  const auto most_ids = options.assembly.truncate ? std::optional(frame.room) : std::nullopt;
  DocumentTokens source(reader, tokenizer, executor, most_ids);
  const double total = static_cast<double>(std::max<uint64_t>(reader.total_bytes(), 1));
  int64_t tokens = 0;
  std::vector<TokenizedDocument> documents;
  for (source.next(documents); !documents.empty(); source.next(documents)) {
    for (TokenizedDocument& document : documents) {
      tokens += static_cast<int64_t>(document.ids.size());
      build.take(std::move(document));
    }
    progress(static_cast<double>(reader.bytes_taken()) / total, tokens);
  }
  return build.finish();
}

}  // namespace m2
