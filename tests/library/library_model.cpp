#include "library/library_model.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace m2::testing_library {
namespace {

constexpr char kConfig[] = R"({"model_type": "bert", "monarch_mixer_sequence_mixing": true,
  "hidden_size": 40, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
  "monarch_mlp_nblocks": 4, "hyena_w": 10, "hyena_emb_dim": 5, "hyena_filter_order": 16,
  "residual_long_conv": true, "bidirectional": true, "use_glu_mlp": true, "use_monarch_mlp": true,
  "use_positional_encodings": true, "long_conv_l_max": 64, "max_position_embeddings": 64})";

// A folder that goes with the process.
struct TemporaryFolder {
  std::filesystem::path path;
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "m2-library-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
};

std::string make_model(const std::filesystem::path& folder) {
  const std::string config = folder / "config.json", model = folder / "model";
  std::ofstream(config) << kConfig;
  const std::string command = std::string("'") + M2_BINARY_DIR + "/m2' init --config '" + config +
                              "' --length 64 --padding none --seed 1 --vocab '" + M2_SOURCE_DIR +
                              "/examples/demo/vocab.txt' '" + model + "'";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  return model;
}

}  // namespace

const std::string& model_folder() {
  static const TemporaryFolder folder;
  static const std::string model = make_model(folder.path);
  return model;
}

ModelOwner load() {
  m2_model* model = nullptr;
  EXPECT_EQ(m2_model_load(model_folder().c_str(), nullptr, &model), M2_OK) << m2_last_error();
  return ModelOwner(model);
}

SessionOwner session_of(m2_model* model, int threads) {
  m2_session_options options = m2_session_options_init();
  options.threads = threads;
  m2_session* session = nullptr;
  EXPECT_EQ(m2_session_new(model, &options, &session), M2_OK) << m2_last_error();
  return SessionOwner(session);
}

ResultOwner embed(m2_session* session, const std::vector<std::string>& texts,
                  const m2_embed_options* options) {
  std::vector<m2_text> inputs;
  for (const std::string& text : texts) {
    inputs.push_back({text.data(), text.size(), nullptr, nullptr});
  }
  m2_result* result = nullptr;
  EXPECT_EQ(m2_embed(session, inputs.data(), inputs.size(), options, &result), M2_OK)
      << m2_last_error();
  return ResultOwner(result);
}

std::vector<float> values_of(m2_result* result) {
  std::vector<float> values;
  size_t count = 0;
  EXPECT_EQ(m2_result_count(result, &count), M2_OK);
  for (size_t i = 0; i < count; ++i) {
    m2_vector vector = m2_vector_init();
    EXPECT_EQ(m2_result_get(result, i, &vector), M2_OK);
    values.insert(values.end(), vector.values, vector.values + vector.rows * vector.width);
  }
  return values;
}

std::string words(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "the garden " + std::to_string(i) + " ";
  return text;
}

m2_status status_of(m2_session* session, const std::string& text, const m2_embed_options* options) {
  const m2_text input = {text.data(), text.size(), nullptr, nullptr};
  m2_result* result = nullptr;
  const m2_status status = m2_embed(session, &input, 1, options, &result);
  EXPECT_EQ(result != nullptr, status == M2_OK);
  EXPECT_EQ(m2_result_free(result), M2_OK);
  return status;
}

}  // namespace m2::testing_library
