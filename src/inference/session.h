// inference: a session computes vectors from token ids. Uses models and what lies below.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "config/model_config.h"
#include "core/threads.h"
#include "models/model.h"

namespace m2 {

struct SessionOptions {
  int threads = 0;  // 0: the physical cores
  // For filter spectra kept from text to text. A model's sessions share them: the largest that one
  // of the living sessions names holds for all.
  size_t filter_cache_bytes = size_t{1} << 30;
  // kF32, or kF16: half the memory, and what docs/numerics.md says of its error.
  DType filter_cache_dtype = DType::kF32;
};

// One text's ids as they are computed, pads included where the contract asks for them.
struct TokenSequence {
  std::vector<int32_t> ids;
  std::vector<int32_t> types;  // as long as ids
  std::vector<int32_t> mask;   // as long as ids; 1 where a token counts
};

struct VectorRequest {
  Pooling pooling = Pooling::kPooler;
  bool normalise = false;
};

// The vector that is asked for, the model's own where nothing is said. A model normalises the
// vectors that it pools, not its hidden states (Pooling::kNone).
VectorRequest request_of(const Model& model, std::optional<Pooling> pooling,
                         std::optional<bool> normalise);

// What reached the caller of Session::compute: one vector of vector_size() floats, or for
// Pooling::kNone one of hidden_size a token.
struct SequenceVectors {
  size_t index = 0;
  size_t rows = 0;
  std::span<const float> values;
};

// Holds the memory and threads that forward passes reuse. One call at a time.
class Session {
 public:
  explicit Session(std::shared_ptr<const Model> model, const SessionOptions& options = {});

  const Model& model() const { return *model_; }
  int threads() const { return executor_->workers(); }
  // How often this session made the spectra of a layer's filters so far.
  size_t spectra_made() const { return spectra_.made(); }
  // Seconds of its threads so far, by kind of work.
  PhaseSeconds phase_seconds() const;

  // Checks one sequence: 1 to max_length() ids, each within the vocabulary, types and mask as long.
  // Error(kUsage) that says which id or length is wrong.
  void check(const TokenSequence& sequence) const;

  // Vectors of `sequences`, each handed to `deliver` in order. They are computed by the
  // size of their transform, shortest first, so that a size's spectra are made once, and held back
  // until their turn, as many as fit a bounded memory. Bits depend on the sequence, the model and
  // the instruction set alone. Between layers `go_on` is called with what is done of the call;
  // false ends it with Error(kInterrupted). Error(kUsage) when the pooler is asked for and the
  // model has none; Error(kFailed) when a vector comes out as NaN or infinity.
  using Deliver = std::function<void(const SequenceVectors&)>;
  struct Done {
    double share = 0;   // of the call's work, 0 to 1
    double tokens = 0;  // as many as that share is worth
  };
  using GoOn = std::function<bool(const Done& done)>;
  void compute(std::span<const TokenSequence> sequences, const VectorRequest& request,
               const Deliver& deliver, const GoOn& go_on = {});

 private:
  struct Batch;
  struct Window;
  size_t window_end(std::span<const TokenSequence> sequences, size_t first,
                    const VectorRequest& request) const;
  std::vector<Batch> batches_of(const Window& window) const;
  void compute_window(Window& window);
  void compute_batch(Window& window, const Batch& batch);
  // Says once a transform size how many layers' spectra are made again for each text.
  void tell_what_is_not_kept(size_t group);
  // What sequences of that length share: the size of their transform; 0 for all without filters.
  size_t group_of(size_t length) const;
  bool pools_mean(const VectorRequest& request) const;
  WantedRows wanted_rows(const VectorRequest& request) const;
  // The vectors of one text, one after the other; returns how many.
  size_t pool(const TokenSequence& sequence, const TextRows& rows, const VectorRequest& request,
              std::vector<float>& out) const;

  std::shared_ptr<const Model> model_;
  std::unique_ptr<Executor> executor_;
  Workspace workspace_;
  SpectrumClient spectra_;
  Activations hidden_;
  std::set<size_t> told_;  // transform sizes of which it was said what is not kept
};

}  // namespace m2
