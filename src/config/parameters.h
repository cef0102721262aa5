// The parameter list: from a configuration, every parameter of the model. The loader, new models,
// counts, conversion, lengthening and training are driven by it; nothing else knows a weight's
// name.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "config/model_config.h"
#include "core/dtype.h"

namespace m2 {

// What a parameter is before training.
enum class InitialiserKind : uint8_t {
  kZeros,
  kOnes,
  kConstant,      // a
  kNormal,        // N(0, a²)
  kNormalPadRow,  // N(0, a²), row 0 zero: word embeddings, whose row 0 is [PAD]
  kUniform,       // U(-a, a)
  kLinspace,      // a … b over all elements
  kFilterTime,    // pos_emb.t: linspace(0, 1, l_max)
  kFilterBands    // pos_emb.z: [t, Re, Im] of exp(-i·f·w), see initialise()
};

struct Initialiser {
  InitialiserKind kind = InitialiserKind::kZeros;
  double a = 0;
  double b = 0;
};

// Where a parameter belongs, for summaries.
enum class Part : uint8_t {
  kEmbeddings,     // words, token types, their LayerNorm
  kPositions,      // position embeddings
  kSequenceMixer,  // projections and short convolution, or attention
  kFilters,        // long convolutions: their networks, z, t, deltas, freq, D
  kMlp,
  kPooler,
  kClassifier,
  kMlmHead
};
// "embeddings", "positions", "sequence mixer", …
const char* part_name(Part part);

// Which product of the encoder a parameter is the weight of.
enum class Product : uint8_t {
  kNone,      // of none: computed in fp32 whatever the model's number type
  kLarge,     // computed in the model's number type
  kSensitive  // the same, but in bf16 where that is int8
};

// The number type of such a product, and of its weight, in a model whose number type is `products`.
DType product_type(Product product, DType products);

struct Parameter {
  std::string name;            // in the research code's files, without their prefixes: "bert.…"
  std::vector<int64_t> shape;  // outermost first
  Initialiser initialiser;
  Part part = Part::kEmbeddings;
  Product product = Product::kNone;
  bool trainable = true;
  // A file may lack it: pooler, heads, and what is tied to another.
  bool optional = false;
  // The parameter whose values this one has, always; empty for its own. That parameter comes
  // earlier in the list and is itself not tied.
  std::string tied_to;
  // The axis that has the model's length, or -1: what lengthening a model extends.
  int length_axis = -1;

  int64_t elements() const;
  // Of a product's weight: its outputs, each the elements of one row of the last axis.
  int64_t outputs() const;
};

// The name in the file of what a weight stored as int8 is to be multiplied by, fp32 of the shape
// (outputs()).
std::string scale_name(const std::string& parameter);

// Which parts beyond embeddings and layers are wanted.
struct ParameterScope {
  bool pooler = true;
  bool classifier = false;  // classifier.{weight,bias}
  bool mlm_head = false;    // cls.predictions.*
};

// In the order of computation; names are unique. `config` must be valid.
// Shapes, with H hidden_size, I intermediate_size, K blocks: Linear weights (out, in);
// block-diagonal weights (K, ceil(out/K), ceil(in/K)), their bias (out); short convolution (3H, 1,
// 3); z (1, l_max, emb_dim), t (1, l_max, 1), deltas (1, 1, H), freq (1, order), D = filter_fn.bias
// (H).
std::vector<Parameter> parameters(const ModelConfig& config, const ParameterScope& scope = {});

// The number of weights as publications state it: embeddings and layers, each trained value once.
// Without pooler, heads, pos_emb.z, and what is not trained (pos_emb.t, modulation.deltas); a freq
// shared by several sines counts once.
int64_t count_parameters(const ModelConfig& config);

// Fills `out`, parameter.elements() long, with initial values. Random ones come from the stream
// (seed, name), so a parameter's values depend on no other; a tied parameter gets those of the one
// it is tied to. t, z, deltas are computed in double:
//   t = linspace(0, 1, l_max); z[s] = [t[s], Re e_1 …, Im e_1 …], e_j = exp(-i·f_j·w_s),
//   w_s = 2π·s/l_max, f = linspace(1e-4, bands - 1, bands), bands = (emb_dim - 1)/2.
void initialise(const Parameter& parameter, const ModelConfig& config, uint64_t seed,
                std::span<float> out);

}  // namespace m2
