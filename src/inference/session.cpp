#include "inference/session.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "kernels/fft_plan.h"

namespace m2 {
namespace {

// Rows computed together: enough tiles for every thread to stay busy to the end of each step.
constexpr size_t kBatchRows = 4096;
// As many leave no thread idle for long: another group then starts a batch of its own.
constexpr size_t kEnoughRows = kBatchRows / 4;
// Results that wait for those before them.
constexpr size_t kHeldBytes = size_t{64} << 20;

}  // namespace

// Sequences computed together.
struct Session::Batch {
  size_t group = 0;  // of the last of them
  size_t rows = 0;
  std::vector<size_t> indices;
};

// One call of compute, and the part of it whose results may wait for each other.
struct Session::Window {
  struct Held {
    size_t rows = 0;
    std::vector<float> values;
  };

  std::span<const TokenSequence> sequences;
  const VectorRequest& request;
  const Deliver& deliver;
  const GoOn& go_on;
  size_t all_rows = 0, done_rows = 0;
  size_t begin = 0, end = 0;      // of the sequences
  size_t next = 0;                // to be delivered
  std::map<size_t, Held> held{};  // by index

  void take(size_t index, Held result) {
    held.emplace(index, std::move(result));
    while (!held.empty() && held.begin()->first == next) {
      const Held& first = held.begin()->second;
      deliver({next++, first.rows, first.values});
      held.erase(held.begin());
    }
  }

  void say(double rows) const {
    const double done = static_cast<double>(done_rows) + rows;
    if (go_on && !go_on({done / static_cast<double>(all_rows), done})) {
      throw Error(ErrorKind::kInterrupted, "interrupted");
    }
  }
};

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
      spectra_(model_->spectra, options.filter_cache_bytes, options.filter_cache_dtype) {}

PhaseSeconds Session::phase_seconds() const {
  PhaseSeconds sum = m2::phase_seconds(workspace_.workers);
  const PhaseSeconds spectra = spectra_.seconds();
  for (size_t i = 0; i < kPhases; ++i) sum[i] += spectra[i];
  return sum;
}

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
  size_t all_rows = 0;
  for (const TokenSequence& sequence : sequences) {
    check(sequence);
    all_rows += sequence.ids.size();
  }
  Window window = {sequences, request, deliver, go_on, all_rows};
  while (window.end < sequences.size()) {
    window.begin = window.end;
    window.end = window_end(sequences, window.begin, request);
    compute_window(window);
  }
}

size_t Session::window_end(std::span<const TokenSequence> sequences, size_t first,
                           const VectorRequest& request) const {
  const size_t hidden = static_cast<size_t>(model_->config.hidden_size);
  size_t bytes = 0, end = first;
  while (end < sequences.size()) {
    const size_t floats = request.pooling == Pooling::kNone ? sequences[end].ids.size() * hidden
                                                            : model_->vector_size();
    bytes += floats * sizeof(float);
    if (end > first && bytes > kHeldBytes) break;
    ++end;
  }
  return end;
}

size_t Session::group_of(size_t length) const {
  return model_->config.family == Family::kM2Bert ? transform_size(2 * length) : 0;
}

std::vector<Session::Batch> Session::batches_of(const Window& window) const {
  std::vector<std::pair<size_t, size_t>> order;  // group and index
  for (size_t i = window.begin; i < window.end; ++i) {
    order.emplace_back(group_of(window.sequences[i].ids.size()), i);
  }
  std::sort(order.begin(), order.end());
  std::vector<Batch> batches;
  for (const auto& [group, index] : order) {
    const size_t length = window.sequences[index].ids.size();
    const bool another = !batches.empty() && batches.back().group != group;
    if (batches.empty() || batches.back().rows + length > kBatchRows ||
        (another && batches.back().rows >= kEnoughRows)) {
      batches.emplace_back();
    }
    batches.back().group = group;
    batches.back().rows += length;
    batches.back().indices.push_back(index);
  }
  return batches;
}

void Session::compute_window(Window& window) {
  const std::vector<Batch> batches = batches_of(window);
  size_t preferred = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    const size_t group = batches[i].group;
    // Worth keeping before all others only where another batch uses them again.
    const bool again = i + 1 < batches.size() && batches[i + 1].group == group;
    if (group != preferred) preferred = again ? group : 0;
    spectra_.prefer(preferred);
    compute_batch(window, batches[i]);
    window.done_rows += batches[i].rows;
    if (group != 0) tell_what_is_not_kept(group);
  }
}

void Session::tell_what_is_not_kept(size_t group) {
  const size_t layers = static_cast<size_t>(model_->config.num_hidden_layers);
  const size_t kept = model_->spectra->kept_layers(group);
  if (kept >= layers || !told_.insert(group).second) return;
  log_debug(concat("texts of up to ", group / 2, " tokens: the filter spectra of ", layers - kept,
                   " of ", layers, " layers do not fit the filter cache and are made again for ",
                   "each batch"));
}

void Session::compute_batch(Window& window, const Batch& batch) {
  std::vector<size_t> lengths;
  std::vector<TokenSpan> texts;
  for (const size_t index : batch.indices) {
    const TokenSequence& sequence = window.sequences[index];
    lengths.push_back(sequence.ids.size());
    texts.push_back({sequence.ids, sequence.types, sequence.mask});
  }
  const RowTiles rows(lengths);
  const int layers = static_cast<int>(model_->config.num_hidden_layers);
  const auto on_layer = [&](int layers_done) {
    window.say(static_cast<double>(batch.rows) * layers_done / layers);
  };
  ForwardContext context = {*executor_, workspace_, spectra_, on_layer};
  model_->encoder->forward(texts, rows, layers, wanted_rows(window.request), context, hidden_);
  for (size_t i = 0; i < batch.indices.size(); ++i) {
    const size_t index = batch.indices[i];
    Window::Held result;
    result.rows = pool(window.sequences[index], rows.texts()[i], window.request, result.values);
    window.take(index, std::move(result));
  }
}

bool Session::pools_mean(const VectorRequest& request) const {
  return request.pooling == Pooling::kMean ||
         (request.pooling == Pooling::kPooler && model_->config.pool_all);
}

WantedRows Session::wanted_rows(const VectorRequest& request) const {
  const bool all = request.pooling == Pooling::kNone || pools_mean(request);
  return all ? WantedRows::kAll : WantedRows::kFirst;
}

size_t Session::pool(const TokenSequence& sequence, const TextRows& rows,
                     const VectorRequest& request, std::vector<float>& out) const {
  const size_t channels = static_cast<size_t>(model_->config.hidden_size);
  const bool pooled = request.pooling != Pooling::kNone;
  const size_t count = pooled ? 1 : rows.length;
  out.resize(count * channels);
  if (pools_mean(request)) {
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
