// A set of strings with a value each, walked byte by byte: what all matching here rests on.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace m2 {

class ByteTrie {
 public:
  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNone = UINT32_MAX;  // no such node
  static constexpr int32_t kNoValue = -1;

  ByteTrie();

  // False, and nothing changes, when `key` has a value already. Values are not negative.
  bool insert(std::string_view key, int32_t value);

  // The node that `byte` leads to, or kNone.
  uint32_t step(uint32_t node, unsigned char byte) const;
  // The node that `key` leads to from the root, or kNone.
  uint32_t walk(std::string_view key) const;
  // The value of the string that ends at `node`, or kNoValue.
  int32_t value(uint32_t node) const { return values_[node]; }
  // The value of `key`, or kNoValue.
  int32_t find(std::string_view key) const;

 private:
  // An open-addressing table of edges: few nodes have more than one or two, so that a table for
  // all is smaller and quicker than one a node.
  struct Edge {
    uint64_t key = kFree;  // node and byte
    uint32_t target = kNone;
  };
  static constexpr uint64_t kFree = UINT64_MAX;
  static uint64_t edge_key(uint32_t node, unsigned char byte) { return uint64_t{node} << 8 | byte; }
  size_t slot(uint64_t key) const;
  void grow();

  std::vector<Edge> edges_;      // a power of two, at most half of it used
  std::vector<int32_t> values_;  // a node each
};

inline size_t ByteTrie::slot(uint64_t key) const {
  // Fibonacci hashing: the product's high half is well mixed.
  size_t at = static_cast<size_t>(key * 0x9E3779B97F4A7C15u >> 32) & (edges_.size() - 1);
  while (edges_[at].key != key && edges_[at].key != kFree) at = (at + 1) & (edges_.size() - 1);
  return at;
}

inline uint32_t ByteTrie::step(uint32_t node, unsigned char byte) const {
  return edges_[slot(edge_key(node, byte))].target;
}

}  // namespace m2
