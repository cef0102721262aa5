// Documents as training samples.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/text_tokens.h"

namespace m2 {

// Samples one after the other, as a shard holds them.
struct SampleList {
  std::vector<uint32_t> offsets = {0};  // first id of each, and the end of the last
  std::vector<int32_t> ids;

  uint64_t samples() const { return offsets.size() - 1; }
  void add(const SampleFrame& frame, std::span<const int32_t> tokens);
};

struct AssemblyOptions {
  bool truncate = false;         // of a long document keep the first piece alone
  double concatenate_share = 0;  // of the short documents, picked by hash; the others stay alone
};

// A document that fills a sample or more is cut into consecutive pieces, the last of them as long
// as it comes. A shorter one is a sample by itself, or joins others: those follow each other with
// [SEP] between them, and what does not fit goes on in the next sample. So all joined samples but
// the last are full, or one token short where a [SEP] would have been the last.
class SampleAssembler {
 public:
  SampleAssembler(const SampleFrame& frame, const AssemblyOptions& options)
      : frame_(frame), options_(options) {}

  // Samples of a document that stands alone.
  uint64_t pieces_of(size_t tokens) const;
  // Adds what becomes whole to `samples`. A document without tokens adds nothing.
  void add(std::span<const int32_t> ids, uint64_t hash, SampleList& samples);
  // The joined sample that waits for more, if any.
  void finish(SampleList& samples);

  // Its tokens: what has to be kept to go on later.
  const std::vector<int32_t>& waiting() const { return waiting_; }
  void set_waiting(std::vector<int32_t> tokens) { waiting_ = std::move(tokens); }

 private:
  bool is_joined(uint64_t hash) const;
  void join(std::span<const int32_t> ids, SampleList& samples);

  SampleFrame frame_;
  AssemblyOptions options_;
  std::vector<int32_t> waiting_;
};

// Whether a document of that hash is held back for validation. Another choice than the
// assembler's: neither says anything of the other.
bool is_held_back(uint64_t hash, double valid_fraction);

}  // namespace m2
