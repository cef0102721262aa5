// Python pickles from outside, read as data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace m2 {

enum class PickleKind : uint8_t {
  kNone,
  kBool,
  kInteger,
  kBigInteger,  // beyond int64; its value is not kept
  kFloat,       // its value is not kept
  kText,
  kBytes,
  kTuple,
  kList,
  kSet,
  kDict,
  kGlobal,     // the name of a class or function
  kObject,     // a call that pickle would make
  kPersistent  // a reference out of the pickle, by an id
};

// Values refer to each other by their index in Pickle::values.
using PickleId = uint32_t;

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  bool has_state = false;       // kObject: pickle would also set its state, which is not kept
  int64_t integer = 0;          // kBool, kInteger
  std::string_view text;        // kText, kBytes; kGlobal "module.name"
  std::vector<PickleId> items;  // kTuple, kList, kSet: the items; kDict: key, value, key, value, …;
                                // kObject: callable, tuple of arguments, then what is appended or
                                // set; kPersistent: the id
};

// The values of one pickle: a graph, which may share and have cycles. It is a flat array, so its
// depth costs no stack, neither to build nor to destroy.
class Pickle {
 public:
  const PickleValue& root() const { return values_[root_]; }
  const PickleValue& value(PickleId id) const { return values_[id]; }
  // Every class and function named, whether used or not.
  const std::set<std::string, std::less<>>& globals() const { return globals_; }

 private:
  friend class PickleReader;
  std::vector<PickleValue> values_;
  std::set<std::string, std::less<>> globals_;
  PickleId root_ = 0;
};

inline constexpr size_t kMaxPickleBytes = size_t{128} << 20;
inline constexpr size_t kMaxPickleValues = size_t{4} << 20;
inline constexpr size_t kMaxPickleMarks = 10'000;  // Python itself stops at about 1,000 levels

// Reads a pickle of protocol 0 to 5, in the opcodes that Python's pickler writes for protocols 1
// to 5 (torch.save cannot write 0). Nothing is executed: no name is looked up, no call is made, a
// call becomes a kObject that holds what would be called. Extension codes, out-of-band buffers and
// protocol-0 text are refused. Error(kInput), one line that starts with `where`, for what is cut,
// malformed or beyond the limits above.
// The texts of the result point into `bytes`, which must outlive it.
Pickle read_pickle(std::span<const std::byte> bytes, const std::string& where);

}  // namespace m2
