#include "train/config/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "config/yaml_reader.h"
#include "core/text.h"
#include "train/config/train_config.h"

namespace m2 {
namespace {

std::string page() {
  std::ifstream file(M2_SOURCE_DIR "/docs/training_config.md");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The row of docs/training_config.md.
std::string row(const TrainingKey& key) {
  const std::string fallback(key.default_text);
  return concat("| `", key.path, "` | ", fallback.empty() ? "**must be stated**" : fallback, " | ",
                key.origin == KeyOrigin::kOwn ? "ours" : "", " | ", key.what, " |");
}

TEST(TrainingKeys, ThePageHasARowForEach) {
  std::string table, found;
  for (const TrainingKey& key : training_keys()) table += row(key) + "\n";
  std::istringstream lines(page());
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("| `")) found += line + "\n";
  }
  EXPECT_EQ(found, table);
}

TEST(TrainingKeys, ThePageNamesWhatHasNoEffect) {
  const std::string text = page();
  for (const IdleKey& key : idle_keys()) {
    const std::string leaf(key.path.substr(key.path.rfind('.') + 1));
    const std::string name =
        leaf == "*" ? std::string(key.path.substr(0, key.path.find('.'))) : leaf;
    EXPECT_THAT(text, testing::HasSubstr("`" + name + "`")) << key.path;
  }
}

// Keys of `value`, dotted, maps descended into.
void collect(const Value& value, const std::string& path, std::vector<std::string>& keys) {
  for (const auto& [key, member] : value.members) {
    const std::string name = path.empty() ? key : concat(path, ".", key);
    keys.push_back(name);
    if (name != "model.model_config") collect(member, name, keys);
  }
}

// The table against the reader: what it calls a key is read, and comes out of a dump that has all
// of them, but for other names of the same and variables.
TEST(TrainingKeys, AreThoseThatAreRead) {
  const std::string streams =
      "streams: {s: {local: d, split: t, WEIGHT}, r: {local: d, repeat: 2}}";
  const auto dataset = [&](const std::string& weight) {
    std::string text = streams;
    return text.replace(text.find("WEIGHT"), 6, weight);
  };
  std::vector<std::string> keys;
  for (const std::string weight : {"samples: 3", "repeat: 3"}) {
    const TrainConfig config = parse_train_config(
        concat("{tokenizer_name: t, vocab: v, model: {model_config: {use_glu_mlp: true}}, ",
               "train_loader: {dataset: {shuffle_seed: 1, ", dataset(weight), "}}, ",
               "eval_loader: {dataset: {shuffle_seed: 1, ", dataset(weight), "}}, ",
               "optimizer: {lr: 1}, algorithms: {gradient_clipping: {clipping_threshold: 1}}, ",
               "max_duration: 1ba, global_train_batch_size: 1, device_eval_batch_size: 1, ",
               "callbacks: {speed_monitor: }, load_path: x}"),
        "a.yaml");
    collect(parse_yaml(to_yaml(config), "dump"), "", keys);
  }
  const TrainConfig shares = parse_train_config(
      "{tokenizer_name: t, model: {name: hf_bert}, optimizer: {lr: 1}, max_duration: 1ba, "
      "global_train_batch_size: 1, "
      "train_loader: {dataset: {samples_per_epoch: 1, streams: {s: {local: d, proportion: 1}}}}, "
      "eval_loader: {dataset: {samples_per_epoch: 1, streams: {s: {local: d, proportion: 1}}}}}",
      "a.yaml");
  collect(parse_yaml(to_yaml(shares), "dump"), "", keys);
  const std::vector<std::string> other_names = {
      "data_local", "mlm_probability", "model.tokenizer_name", "model.use_pretrained",
      "model.pretrained_checkpoint", "model.gradient_checkpointing",
      "train_loader.dataset.max_seq_len", "train_loader.dataset.tokenizer_name",
      "eval_loader.dataset.max_seq_len", "eval_loader.dataset.tokenizer_name",
      // Written in the streams.
      "train_loader.dataset.local", "train_loader.dataset.split", "eval_loader.dataset.local",
      "eval_loader.dataset.split"};
  for (const TrainingKey& key : training_keys()) {
    std::string path(key.path);
    if (const size_t star = path.find('*'); star != path.npos) path.replace(star, 1, "s");
    if (std::find(other_names.begin(), other_names.end(), path) != other_names.end()) continue;
    EXPECT_THAT(keys, testing::Contains(path));
  }
}

TEST(NearestName, CountsLetters) {
  const std::vector<std::string> known = {"hidden_size", "hyena_w", "hyena_wd", "pool_all"};
  EXPECT_EQ(nearest_name("hyena_d", known), "hyena_w");
  EXPECT_EQ(nearest_name("hyena_dw", {"hyenaw", "hyena_wd"}), "hyena_wd");  // a swap is one change
  EXPECT_EQ(nearest_name("hidden", known), "hidden_size");                  // a beginning is near
  EXPECT_EQ(nearest_name("", known), "hyena_w");
  EXPECT_EQ(nearest_name("pooling", known), "pool_all");
  EXPECT_EQ(nearest_name("Hidden_size", known), "hidden_size");
}

}  // namespace
}  // namespace m2
