#include "inference/small_model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "checkpoint/safetensors.h"
#include "config/load_config.h"
#include "config/parameters.h"
#include "core/random.h"
#include "core/text.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

const char kConfig[] = R"({
  "model_type": "bert", "monarch_mixer_sequence_mixing": true, "hidden_size": 40,
  "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
  "monarch_mlp_nblocks": 4, "hyena_w": 10, "hyena_emb_dim": 5, "hyena_filter_order": 16,
  "residual_long_conv": true, "bidirectional": true, "use_glu_mlp": true, "use_monarch_mlp": true,
  "use_positional_encodings": true, "long_conv_l_max": 600, "max_position_embeddings": 600,
  "vocab_size": 64})";

class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / concat("m2_small_model_", getpid())) {}
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

const fs::path& root() {
  static const Folder folder;
  return folder.path();
}

ModelConfig small_config(Padding padding) {
  ModelConfig config = parse_model_config(kConfig, "small model");
  config.padding = padding;
  config.padding_stated = true;
  return config;
}

void write_model(const fs::path& folder, const ModelConfig& config, const EditWeight& edit) {
  std::vector<std::vector<float>> values;
  std::vector<NamedTensor> tensors;
  for (const Parameter& parameter : parameters(config)) {
    if (!parameter.tied_to.empty()) continue;
    auto& buffer = values.emplace_back(static_cast<size_t>(parameter.elements()));
    initialise(parameter, config, 1, buffer);
    Random random(2, parameter.name);
    if (parameter.name.ends_with("bias")) {
      for (float& value : buffer) value += static_cast<float>(random.bits() % 1000) * 1e-3f - 0.5f;
    }
    if (edit) edit(parameter.name, buffer);
    tensors.push_back({parameter.name, {DType::kF32, parameter.shape, buffer.data()}});
  }
  fs::create_directories(folder);
  write_safetensors(folder / "model.safetensors", tensors);
  std::ofstream(folder / "config.json") << to_json(config);
  std::ofstream vocabulary(folder / "vocab.txt");
  vocabulary << "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (int32_t i = 5; i < kSmallModelWords; ++i) vocabulary << "w" << i << '\n';
}

}  // namespace

fs::path small_model_folder(Padding padding) {
  const fs::path folder = root() / padding_name(padding);
  if (!fs::exists(folder)) write_model(folder, small_config(padding), {});
  return folder;
}

std::shared_ptr<const Model> small_model(Padding padding) {
  return load_model({small_model_folder(padding), "", std::nullopt});
}

std::shared_ptr<const Model> edited_model(const std::string& name, const EditConfig& edit_config,
                                          const EditWeight& edit_weight) {
  ModelConfig config = small_config(Padding::kNone);
  edit_config(config);
  const fs::path folder = root() / name;
  write_model(folder, config, edit_weight);
  return load_model({folder, "", std::nullopt});
}

TokenSequence some_tokens(size_t length, uint64_t seed) {
  Random random(seed, "tokens");
  TokenSequence sequence;
  for (size_t i = 0; i < length; ++i) {
    sequence.ids.push_back(static_cast<int32_t>(random.bits() % kSmallModelWords));
  }
  sequence.types.assign(length, 0);
  sequence.mask.assign(length, 1);
  return sequence;
}

std::vector<std::vector<float>> vectors_of(Session& session,
                                           const std::vector<TokenSequence>& sequences,
                                           const VectorRequest& request) {
  std::vector<std::vector<float>> vectors;
  session.compute(sequences, request, [&](const SequenceVectors& result) {
    EXPECT_EQ(result.index, vectors.size());
    vectors.emplace_back(result.values.begin(), result.values.end());
  });
  return vectors;
}

}  // namespace m2
