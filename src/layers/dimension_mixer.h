// The MLP, dense or block-diagonal (Monarch), gated or not.
//
//   gated:   h = W1·x, H -> 2I;                     g = GELU(h[:I])·h[I:]
//   plain:   h = W1·x, H -> I (+ b1 in plain BERT);  g = GELU(h)
//   out = LN(W2·g + b + x)
#pragma once

#include <string>

#include "layers/weights.h"
#include "layers/workspace.h"
#include "ops/linear.h"
#include "ops/norm.h"

namespace m2 {

class DimensionMixer {
 public:
  // `prefix` is "bert.encoder.layer.0" or the like.
  DimensionMixer(const Weights& weights, const std::string& prefix);

  // Floats between rows of x and out: H filled up to whole blocks of the MLP and of channels.
  static size_t row_stride(const ModelConfig& config);

  // A group of tiles in place, tile i at x + i·kTileRows·row_stride(); channels beyond H are zero
  // and stay so. The wide activation exists one panel at a time.
  void apply(std::span<const Tile> tiles, float* x, WorkerScratch& scratch) const;

 private:
  // A block of the second half with the panels of the first whose results it reads.
  struct Block {
    Linear second;               // reads this block's own inputs
    size_t first_output = 0;     // where its outputs begin
    std::vector<size_t> panels;  // of first_ without a gate, or of its left half
  };
  void activate(const Block& block, std::span<const Tile> tiles, std::span<const Operand> x,
                WorkerScratch& scratch, float* gated) const;

  bool gated_;
  size_t row_stride_;
  Linear first_;
  std::vector<Block> blocks_;
  size_t block_stride_ = 0;  // floats between rows of a block's input
  Norm norm_;
};

}  // namespace m2
