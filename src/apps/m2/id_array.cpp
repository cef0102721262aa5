#include "apps/m2/id_array.h"

#include <cstring>

#include "checkpoint/npy.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

template <class Stored>
void append_integers(const TensorView& tensor, std::vector<int64_t>& out) {
  const char* bytes = static_cast<const char*>(tensor.data);
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    Stored value;
    std::memcpy(&value, bytes + static_cast<size_t>(i) * sizeof(Stored), sizeof(Stored));
    out.push_back(static_cast<int64_t>(value));
  }
}

}  // namespace

IdArray read_ids(const std::string& path) {
  const NpyFile file(path);
  const TensorView& tensor = file.tensor();
  if (tensor.shape.empty() || tensor.shape.size() > 2 || tensor.elements() == 0) {
    throw input_error(concat(path, ": has the shape ", shape_text(tensor.shape),
                             "; ids are [texts][tokens] or [tokens]"));
  }
  IdArray array;
  array.length = static_cast<size_t>(tensor.shape.back());
  array.rows = static_cast<size_t>(tensor.elements()) / array.length;
  switch (tensor.dtype) {
    case DType::kI64:
      append_integers<int64_t>(tensor, array.values);
      break;
    case DType::kI32:
      append_integers<int32_t>(tensor, array.values);
      break;
    case DType::kI16:
      append_integers<int16_t>(tensor, array.values);
      break;
    case DType::kI8:
      append_integers<int8_t>(tensor, array.values);
      break;
    case DType::kU8:
    case DType::kBool:
      append_integers<uint8_t>(tensor, array.values);
      break;
    default:
      throw input_error(concat(path, ": holds ", dtype_name(tensor.dtype), "; ids are integers"));
  }
  return array;
}

IdArray read_ids_like(const IdArray& ids, const std::string& path, const std::string& ids_path) {
  if (path.empty()) return {};
  IdArray array = read_ids(path);
  if (array.rows != ids.rows || array.length != ids.length) {
    throw input_error(concat(path, ": has another shape than ", ids_path));
  }
  return array;
}

}  // namespace m2
