// What a checkpoint's pickle says of its tensors, apart from their data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "checkpoint/pickle.h"
#include "core/dtype.h"

namespace m2 {

// A tensor as torch.save wrote it: a view of a storage. Numbers as found, not yet checked.
struct TorchTensor {
  DType dtype = DType::kF32;
  std::string_view storage;  // the N of data/N
  int64_t storage_elements = 0;
  int64_t offset = 0;  // in elements, as the strides
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
};

// The class or Python type that keeps a value from being a plain tensor.
struct NoTensor {
  std::string name;
};

struct TorchEntry {
  std::string_view name;
  std::variant<TorchTensor, NoTensor> value;
};

// The entries of the weights' dictionary: the root itself, or what lies under `state`/`model`,
// `state_dict` or `model`. Error(kInput), one line that starts with `path`, when there is no such
// dictionary, a name is there twice or no UTF-8, or a tensor is described in a way that torch.save
// does not write.
std::vector<TorchEntry> find_torch_weights(const Pickle& pickle, const std::string& path);

// The names in the pickle that are outside the allow-list, sorted.
std::vector<std::string> unknown_globals(const Pickle& pickle);

}  // namespace m2
