#include "tokenizer/byte_trie.h"

#include <utility>

#include "core/error.h"

namespace m2 {

ByteTrie::ByteTrie() : edges_(64), values_(1, kNoValue) {}

bool ByteTrie::insert(std::string_view key, int32_t value) {
  M2_CHECK(value >= 0);
  uint32_t node = kRoot;
  for (const char c : key) {
    const unsigned char byte = static_cast<unsigned char>(c);
    uint32_t next = step(node, byte);
    if (next == kNone) {
      if (values_.size() * 2 > edges_.size()) grow();
      next = static_cast<uint32_t>(values_.size());
      values_.push_back(kNoValue);
      const uint64_t edge = edge_key(node, byte);
      edges_[slot(edge)] = {edge, next};
    }
    node = next;
  }
  if (values_[node] != kNoValue) return false;
  values_[node] = value;
  return true;
}

uint32_t ByteTrie::walk(std::string_view key) const {
  uint32_t node = kRoot;
  for (const char c : key) {
    node = step(node, static_cast<unsigned char>(c));
    if (node == kNone) return kNone;
  }
  return node;
}

int32_t ByteTrie::find(std::string_view key) const {
  const uint32_t node = walk(key);
  return node == kNone ? kNoValue : values_[node];
}

void ByteTrie::grow() {
  std::vector<Edge> old(edges_.size() * 2);
  std::swap(old, edges_);
  for (const Edge& edge : old) {
    if (edge.key != kFree) edges_[slot(edge.key)] = edge;
  }
}

}  // namespace m2
