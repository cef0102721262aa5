// A dataset of a few samples, whose words small_config()'s models know, and its loader.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/data_files.h"
#include "train/loop/sample_batches.h"

namespace m2::train {

using Samples = std::vector<std::vector<int32_t>>;

inline constexpr int kWords = 56;  // and five special tokens
inline constexpr int64_t kMostTokens = 24;

// [CLS], `words` of them from number `first` on, [SEP].
inline std::vector<int32_t> word_sample(int64_t first, int64_t words) {
  std::vector<int32_t> ids = {kCls};
  for (int64_t i = 0; i < words; ++i) {
    ids.push_back(kFirstWord + static_cast<int32_t>((first + i) % kWords));
  }
  ids.push_back(kSep);
  return ids;
}

// Up to 56, no two of them equal, of 3 to 22 tokens; neighbours differ in length.
inline Samples uneven_samples(int64_t count) {
  Samples samples;
  for (int64_t i = 0; i < count; ++i) samples.push_back(word_sample(5 * i, 1 + 7 * i % 20));
  return samples;
}

class SmallData {
 public:
  SmallData() : tokenizer_(word_tokenizer(folder_, kWords)) {}

  const Tokenizer& tokenizer() const { return tokenizer_; }
  std::string path(const std::string& name) const { return folder_.path(name); }

  DataStream stream(const std::string& name, const Samples& samples) const {
    DataStream stream;
    stream.name = name;
    stream.local = write_dataset(folder_, name, samples, kMostTokens, vocabulary_of(tokenizer_));
    return stream;
  }

  LoaderConfig loader(const Samples& samples) const {
    LoaderConfig loader;
    loader.streams = {stream("data", samples)};
    loader.mlm_probability = 0.3;
    return loader;
  }

 private:
  TestFolder folder_;
  Tokenizer tokenizer_;
};

}  // namespace m2::train
