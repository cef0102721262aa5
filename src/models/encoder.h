// models: assembly of layers into encoders, and their heads. Uses layers and what lies below.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/threads.h"
#include "layers/embedding_table.h"
#include "layers/spectrum_store.h"
#include "layers/weights.h"
#include "layers/workspace.h"
#include "ops/row_tiles.h"

namespace m2 {

// What a forward pass works with; kept by the caller from one pass to the next.
struct ForwardContext {
  Executor& executor;
  Workspace& workspace;
  SpectrumClient& spectra;
  // Called between layers with the number of layers done; may throw to stop the pass.
  std::function<void(int layers_done)> on_layer;
};

// A model from ids to hidden states. Thread-safe: a pass changes its context alone.
class Encoder {
 public:
  virtual ~Encoder() = default;
  virtual const ModelConfig& config() const = 0;

  // Hidden states after `layers` layers (the embedding layer alone for 0) of the texts that `rows`
  // was made from, hidden_size channels, in `hidden`. Where each text's first row alone is wanted
  // the last layer computes no more: a fraction of its work, and within rounding of what it is
  // among all rows.
  virtual void forward(std::span<const TokenSpan> texts, const RowTiles& rows, int layers,
                       WantedRows wanted, ForwardContext& context, Activations& hidden) const = 0;
};

// The encoder of the configuration's family. Throws Error(kInput) for weights that do not fit it.
std::unique_ptr<Encoder> make_encoder(const Weights& weights);

}  // namespace m2
