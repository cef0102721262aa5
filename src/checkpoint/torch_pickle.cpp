#include "checkpoint/torch_pickle.h"

#include <array>
#include <optional>
#include <set>
#include <utility>

#include "checkpoint/checked_size.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr std::string_view kOrderedDict = "collections.OrderedDict";
constexpr std::string_view kRebuildTensor = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kRebuildTensorOld = "torch._utils._rebuild_tensor";
constexpr std::string_view kRebuildParameter = "torch._utils._rebuild_parameter";
constexpr std::string_view kRebuildParameterState = "torch._utils._rebuild_parameter_with_state";
constexpr std::string_view kSize = "torch.Size";
constexpr std::string_view kDevice = "torch.device";

constexpr std::array kFunctions = {
    kOrderedDict, kRebuildTensor, kRebuildTensorOld, kRebuildParameter, kRebuildParameterState,
    kSize,        kDevice};

constexpr std::array<std::pair<std::string_view, DType>, 10> kStorages = {{
    {"torch.DoubleStorage", DType::kF64},
    {"torch.FloatStorage", DType::kF32},
    {"torch.HalfStorage", DType::kF16},
    {"torch.BFloat16Storage", DType::kBF16},
    {"torch.LongStorage", DType::kI64},
    {"torch.IntStorage", DType::kI32},
    {"torch.ShortStorage", DType::kI16},
    {"torch.CharStorage", DType::kI8},
    {"torch.ByteStorage", DType::kU8},
    {"torch.BoolStorage", DType::kBool},
}};

std::optional<DType> storage_dtype(std::string_view name) {
  for (const auto& [known, dtype] : kStorages) {
    if (known == name) return dtype;
  }
  return std::nullopt;
}

const char* type_name(PickleKind kind) {
  switch (kind) {
    case PickleKind::kNone:
      return "None";
    case PickleKind::kBool:
      return "a bool";
    case PickleKind::kInteger:
    case PickleKind::kBigInteger:
      return "an int";
    case PickleKind::kFloat:
      return "a float";
    case PickleKind::kText:
      return "a str";
    case PickleKind::kBytes:
      return "bytes";
    case PickleKind::kTuple:
      return "a tuple";
    case PickleKind::kList:
      return "a list";
    case PickleKind::kSet:
      return "a set";
    case PickleKind::kDict:
      return "a dict";
    case PickleKind::kGlobal:
    case PickleKind::kObject:
    case PickleKind::kPersistent:
      break;
  }
  return "an object";
}

// Thrown inside this file when a value turns out to need a class outside the allow-list.
struct Needs {
  std::string name;
};

// Thrown inside this file when a description has another form than torch.save's.
struct Malformed {};

class WeightsReader {
 public:
  WeightsReader(const Pickle& pickle, const std::string& path) : pickle_(pickle), path_(path) {}

  std::vector<TorchEntry> read() const {
    const Pairs pairs = find_dictionary();
    std::set<std::string_view> names;
    std::vector<TorchEntry> entries;
    for (const auto& [key_id, value_id] : pairs) {
      const PickleValue& key = pickle_.value(key_id);
      if (key.kind != PickleKind::kText) continue;
      if (find_invalid_utf8(key.text) != key.text.npos || !names.insert(key.text).second) {
        throw input_error(concat(path_, ": the name \"", printable(key.text),
                                 "\" is there twice or is no UTF-8"));
      }
      entries.push_back({key.text, read_entry(key.text, value_id)});
    }
    return entries;
  }

 private:
  using Pairs = std::vector<std::pair<PickleId, PickleId>>;

  // The callable's name of a call, or "" for any other value.
  std::string_view called(const PickleValue& value) const {
    if (value.kind != PickleKind::kObject) return {};
    const PickleValue& callable = pickle_.value(value.items[0]);
    return callable.kind == PickleKind::kGlobal ? callable.text : std::string_view();
  }

  const std::vector<PickleId>& arguments(const PickleValue& call) const {
    return pickle_.value(call.items[1]).items;
  }

  // Key and value of a dict or OrderedDict.
  std::optional<Pairs> as_dictionary(const PickleValue& value) const {
    size_t first = 0;
    if (value.kind != PickleKind::kDict) {
      if (called(value) != kOrderedDict || !arguments(value).empty()) return std::nullopt;
      first = 2;
    }
    if ((value.items.size() - first) % 2 != 0) return std::nullopt;
    Pairs pairs;
    for (size_t i = first; i < value.items.size(); i += 2) {
      pairs.emplace_back(value.items[i], value.items[i + 1]);
    }
    return pairs;
  }

  // What a dictionary has under a key. Of equal keys the last counts, as in Python.
  std::optional<Pairs> inner(const std::optional<Pairs>& pairs, std::string_view wanted) const {
    if (!pairs) return std::nullopt;
    for (auto pair = pairs->rbegin(); pair != pairs->rend(); ++pair) {
      const PickleValue& key = pickle_.value(pair->first);
      if (key.kind == PickleKind::kText && key.text == wanted) {
        return as_dictionary(pickle_.value(pair->second));
      }
    }
    return std::nullopt;
  }

  Pairs find_dictionary() const {
    auto root = as_dictionary(pickle_.root());
    if (!root) {
      throw input_error(concat(path_, ": holds ", describe(pickle_.root()),
                               ", not a dictionary of weights; save model.state_dict()"));
    }
    if (auto found = inner(inner(root, "state"), "model")) return std::move(*found);
    if (auto found = inner(root, "state_dict")) return std::move(*found);
    if (auto found = inner(root, "model")) return std::move(*found);
    return std::move(*root);
  }

  // What a value is, for a message: the class for a call, else the Python type.
  std::string describe(const PickleValue& value) const {
    const PickleValue* at = &value;
    // A callable may itself come from a call; cycles end with the count.
    for (int i = 0; at->kind == PickleKind::kObject && i < 8; ++i)
      at = &pickle_.value(at->items[0]);
    return at->kind == PickleKind::kGlobal ? printable(at->text) : type_name(at->kind);
  }

  std::variant<TorchTensor, NoTensor> read_entry(std::string_view name, PickleId id) const {
    try {
      return read_tensor(pickle_.value(id));
    } catch (const Needs& needs) {
      return NoTensor{needs.name};
    } catch (const Malformed&) {
      throw input_error(concat(path_, ": tensor \"", printable(name),
                               "\" is described in a way that PyTorch does not write; the file is "
                               "damaged"));
    }
  }

  // A parameter is its tensor and a flag.
  const PickleValue& unwrap_parameter(const PickleValue& value) const {
    const std::string_view function = called(value);
    if (function != kRebuildParameter && function != kRebuildParameterState) return value;
    if (arguments(value).empty()) throw Malformed{};
    return pickle_.value(arguments(value)[0]);
  }

  TorchTensor read_tensor(const PickleValue& value) const {
    const PickleValue& call = unwrap_parameter(value);
    const std::string_view function = called(call);
    const bool old = function == kRebuildTensorOld;
    if (function != kRebuildTensor && !old) throw Needs{describe(call)};
    const auto& parts = arguments(call);
    // storage, offset, size, stride and, in version 2, requires_grad, hooks and perhaps metadata
    if (call.items.size() != 2 || call.has_state || parts.size() < (old ? 4 : 6) ||
        parts.size() > (old ? 4 : 7)) {
      throw Malformed{};
    }
    TorchTensor tensor;
    read_storage(expect(parts[0], PickleKind::kPersistent), tensor);
    tensor.offset = expect(parts[1], PickleKind::kInteger).integer;
    tensor.shape = read_integers(parts[2]);
    tensor.strides = read_integers(parts[3]);
    if (tensor.shape.size() != tensor.strides.size()) throw Malformed{};
    return tensor;
  }

  // The value, which must be of that kind: one that would come from a call needs that class.
  const PickleValue& expect(PickleId id, PickleKind kind) const {
    const PickleValue& value = pickle_.value(id);
    if (value.kind == kind) return value;
    if (value.kind == PickleKind::kObject) throw Needs{describe(value)};
    throw Malformed{};
  }

  // The id is ("storage", class, key, device, elements).
  void read_storage(const PickleValue& reference, TorchTensor& tensor) const {
    const auto& parts = expect(reference.items[0], PickleKind::kTuple).items;
    if (parts.size() != 5 || expect(parts[0], PickleKind::kText).text != "storage") {
      throw Malformed{};
    }
    const std::string_view storage = expect(parts[1], PickleKind::kGlobal).text;
    const auto dtype = storage_dtype(storage);
    if (!dtype) throw Needs{printable(storage)};
    tensor.dtype = *dtype;
    tensor.storage = expect(parts[2], PickleKind::kText).text;
    tensor.storage_elements = expect(parts[4], PickleKind::kInteger).integer;
  }

  std::vector<int64_t> read_integers(PickleId id) const {
    const PickleValue* value = &pickle_.value(id);
    if (called(*value) == kSize) {
      if (value->items.size() != 2 || arguments(*value).size() != 1) throw Malformed{};
      id = arguments(*value)[0];
    }
    std::vector<int64_t> integers;
    const auto& items = expect(id, PickleKind::kTuple).items;
    if (items.size() > kMaxRank) throw Malformed{};
    for (const PickleId item : items) {
      integers.push_back(expect(item, PickleKind::kInteger).integer);
    }
    return integers;
  }

  const Pickle& pickle_;
  const std::string& path_;
};

}  // namespace

std::vector<TorchEntry> find_torch_weights(const Pickle& pickle, const std::string& path) {
  return WeightsReader(pickle, path).read();
}

std::vector<std::string> unknown_globals(const Pickle& pickle) {
  std::vector<std::string> unknown;
  for (const std::string& name : pickle.globals()) {
    bool known = storage_dtype(name).has_value();
    for (const std::string_view function : kFunctions) known = known || name == function;
    if (!known) unknown.push_back(name);
  }
  return unknown;
}

}  // namespace m2
