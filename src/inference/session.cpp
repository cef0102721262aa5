#include "inference/session.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

// Rows computed together: enough tiles for every thread to stay busy to the end of each step.
constexpr size_t kBatchRows = 4096;

}  // namespace

VectorRequest request_of(const Model& model, std::optional<Pooling> pooling,
                         std::optional<bool> normalise) {
  VectorRequest request;
  request.pooling = pooling.value_or(model.config.pooling);
  const bool own = model.config.use_normalized_embeddings && request.pooling != Pooling::kNone;
  request.normalise = normalise.value_or(own);
  return request;
}

Session::Session(std::shared_ptr<const Model> model, const SessionOptions& options)
    : model_(std::move(model)),
      executor_(
          std::make_unique<ThreadPool>(options.threads > 0 ? options.threads : physical_cores())),
      spectra_(options.filter_cache_bytes) {}

void Session::check(const TokenSequence& sequence) const {
  const ModelConfig& config = model_->config;
  const int64_t longest = config.max_length();
  const size_t length = sequence.ids.size();
  if (length == 0) throw usage_error("a sequence without a token has no vector");
  if (static_cast<int64_t>(length) > longest) {
    throw usage_error(
        concat("a sequence of ", length, " ids is longer than the model's ", longest));
  }
  M2_CHECK(sequence.types.size() == length && sequence.mask.size() == length);
  const int64_t words = config.padded_vocab_size();
  for (size_t i = 0; i < length; ++i) {
    if (sequence.ids[i] < 0 || sequence.ids[i] >= words) {
      throw usage_error(concat("the id ", sequence.ids[i], " at position ", i,
                               " is outside the model's vocabulary of ", words));
    }
    if (sequence.types[i] < 0 || sequence.types[i] >= config.type_vocab_size) {
      throw usage_error(concat("the token type ", sequence.types[i], " at position ", i,
                               " is outside the model's ", config.type_vocab_size));
    }
  }
}

void Session::compute(std::span<const TokenSequence> sequences, const VectorRequest& request,
                      const Deliver& deliver, const GoOn& go_on) {
  if (request.pooling == Pooling::kPooler && !model_->pooler) {
    throw usage_error("the model has no pooler; ask for --pooling mean or cls");
  }
  size_t all_rows = 0, done_rows = 0;
  for (const TokenSequence& sequence : sequences) {
    check(sequence);
    all_rows += sequence.ids.size();
  }
  size_t first = 0;
  while (first < sequences.size()) {
    size_t count = 0, rows = 0;
    do {
      rows += sequences[first + count++].ids.size();
    } while (first + count < sequences.size() &&
             rows + sequences[first + count].ids.size() <= kBatchRows);
    const auto on_layer = [&](int layers_done) {
      const double share =
          static_cast<double>(layers_done) / static_cast<double>(model_->config.num_hidden_layers);
      const double done = static_cast<double>(done_rows) + share * static_cast<double>(rows);
      if (go_on && !go_on({done / static_cast<double>(all_rows), done})) {
        throw Error(ErrorKind::kInterrupted, "interrupted");
      }
    };
    compute_batch(sequences.subspan(first, count), first, request, deliver, on_layer);
    first += count;
    done_rows += rows;
  }
}

void Session::compute_batch(std::span<const TokenSequence> batch, size_t first,
                            const VectorRequest& request, const Deliver& deliver,
                            const std::function<void(int)>& on_layer) {
  std::vector<size_t> lengths;
  std::vector<TokenSpan> texts;
  for (const TokenSequence& sequence : batch) {
    lengths.push_back(sequence.ids.size());
    texts.push_back({sequence.ids, sequence.types, sequence.mask});
  }
  const RowTiles rows(lengths);
  ForwardContext context = {*executor_, workspace_, spectra_, on_layer};
  const int layers = static_cast<int>(model_->config.num_hidden_layers);
  model_->encoder->forward(texts, rows, layers, context, hidden_);
  std::vector<float> values;
  for (size_t i = 0; i < batch.size(); ++i) {
    const size_t count = pool(batch[i], rows.texts()[i], request, values);
    deliver({first + i, count, values});
  }
}

size_t Session::pool(const TokenSequence& sequence, const TextRows& rows,
                     const VectorRequest& request, std::vector<float>& out) const {
  const size_t channels = static_cast<size_t>(model_->config.hidden_size);
  const bool pooled = request.pooling != Pooling::kNone;
  const size_t count = pooled ? 1 : rows.length;
  out.resize(count * channels);
  const bool mean = request.pooling == Pooling::kMean ||
                    (request.pooling == Pooling::kPooler && model_->config.pool_all);
  if (mean) {
    mean_rows(hidden_, rows, sequence.mask, out);
  } else {
    for (size_t row = 0; row < count; ++row) {
      copy_row(hidden_, rows, row, std::span(out).subspan(row * channels, channels));
    }
  }
  if (request.pooling == Pooling::kPooler) {
    const std::vector<float> x = out;
    model_->pooler->apply(x, out);
  }
  if (pooled) {
    for (const Dense& dense : model_->dense) dense.apply(out);
  }
  const size_t width = out.size() / count;
  for (size_t row = 0; request.normalise && row < count; ++row) {
    normalise(std::span(out).subspan(row * width, width));
  }
  if (!std::all_of(out.begin(), out.end(), [](float value) { return std::isfinite(value); })) {
    throw failed_error("a vector came out as NaN or infinity: the weights overflow in fp32");
  }
  return count;
}

}  // namespace m2
