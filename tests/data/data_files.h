// Small vocabularies and datasets for the tests.
#pragma once

#include <numeric>
#include <string>
#include <vector>

#include "checkpoint/test_files.h"
#include "core/mapped_file.h"
#include "data/dataset.h"
#include "data/token_shards.h"

namespace m2 {

inline constexpr int32_t kPad = 0, kUnk = 1, kCls = 2, kSep = 3, kMask = 4, kFirstWord = 5;
inline constexpr SpecialTokenIds kSpecial = {kUnk, kCls, kSep, kPad, kMask};

// The words "w0" … have the ids kFirstWord …
inline Tokenizer word_tokenizer(const TestFolder& folder, int words = 200) {
  std::string tokens = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (int i = 0; i < words; ++i) tokens += "w" + std::to_string(i) + "\n";
  return Tokenizer::load(folder.write("vocab.txt", tokens));
}

inline std::string words(int first, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "w" + std::to_string((first + i) % 200) + " ";
  return text;
}

inline std::vector<int32_t> read_sample(const Dataset& dataset, uint64_t index) {
  std::vector<int32_t> ids = {-7};  // what is there before must not stay
  dataset.read(index, ids);
  return ids;
}

inline std::vector<std::vector<int32_t>> all_samples(const Dataset& dataset) {
  std::vector<std::vector<int32_t>> samples;
  for (uint64_t i = 0; i < dataset.samples(); ++i) samples.push_back(read_sample(dataset, i));
  return samples;
}

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A folder of one shard, as m2 data build writes it, with the vocabulary of a word_tokenizer.
inline std::string write_dataset(const TestFolder& folder, const std::string& name,
                                 const std::vector<std::vector<int32_t>>& samples, int64_t length,
                                 const Vocabulary& vocabulary) {
  std::vector<uint32_t> offsets = {0};
  std::vector<int32_t> ids;
  for (const std::vector<int32_t>& sample : samples) {
    ids.insert(ids.end(), sample.begin(), sample.end());
    offsets.push_back(static_cast<uint32_t>(ids.size()));
  }
  std::filesystem::create_directories(folder.path(name));
  folder.write(name + "/shard.00000.tokens",
               text_of(shard_bytes({length, vocabulary}, offsets, ids)));
  folder.write(name + "/index.json",
               "{\"format\":\"m2-tokens\",\"version\":1,\"length\":" + std::to_string(length) +
                   ",\"shards\":[{\"file\":\"shard.00000.tokens\",\"samples\":" +
                   std::to_string(samples.size()) + ",\"tokens\":" + std::to_string(ids.size()) +
                   "}]}");
  return folder.path(name);
}

}  // namespace m2
