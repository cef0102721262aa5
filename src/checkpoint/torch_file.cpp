#include "checkpoint/torch_file.h"

#include <algorithm>

#include "checkpoint/checked_size.h"
#include "checkpoint/pickle.h"
#include "checkpoint/torch_pickle.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

// Copies of strided views are bounded by the file: expanded views (stride 0) could ask for any
// size, real ones are transposed or cut.
constexpr uint64_t kCopyRatio = 4;
constexpr uint64_t kFreeCopyBytes = uint64_t{16} << 20;

// PyTorch before 1.6 wrote one pickle after another; the first is this magic number.
constexpr std::string_view kLegacyMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19",
                                        14);

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// "NAME/", where the archive holds NAME/data.pkl: the folder has any name, but there is one.
std::string find_prefix(const ZipFile& zip, const std::string& path) {
  constexpr std::string_view kPickle = "data.pkl";
  std::vector<std::string> prefixes;
  for (const ZipEntry& entry : zip.entries()) {
    const std::string_view name = entry.name;
    const size_t slash = name.find('/');
    if (slash != name.npos && name.substr(slash + 1) == kPickle) {
      prefixes.emplace_back(name.substr(0, slash + 1));
    }
  }
  if (prefixes.size() != 1) {
    throw input_error(concat(path, ": is a zip archive but no PyTorch checkpoint (it holds ",
                             prefixes.empty() ? "no" : "several", " data.pkl)"));
  }
  if (zip.find(prefixes[0] + "constants.pkl") != nullptr) {
    throw input_error(concat(path, ": is a TorchScript program; save model.state_dict() instead"));
  }
  return prefixes[0];
}

void check_byte_order(ZipFile& zip, const std::string& prefix, const std::string& path) {
  const ZipEntry* entry = zip.find(prefix + "byteorder");
  if (entry != nullptr && as_text(zip.read(*entry)) != "little") {
    throw input_error(concat(path,
                             ": was written on a big-endian machine; save it again on a "
                             "little-endian one"));
  }
}

// Whether the elements lie one after the other in row-major order. Extents of 1 have any stride.
bool is_contiguous(const TorchTensor& tensor) {
  int64_t expected = 1;
  for (size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] == 1) continue;
    if (tensor.strides[i] != expected) return false;
    expected *= tensor.shape[i];
  }
  return true;
}

// Offset of the last element that a tensor without empty extents touches, or nothing when it is
// not a sound number.
std::optional<int64_t> last_element(const TorchTensor& tensor) {
  int64_t last = tensor.offset;
  if (last < 0) return std::nullopt;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    int64_t span = 0;
    if (tensor.strides[i] < 0 ||
        __builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i], &span) ||
        __builtin_add_overflow(last, span, &last)) {
      return std::nullopt;
    }
  }
  return last;
}

// Row-major copy of a strided view with at least one element.
void copy_strided(const TorchTensor& tensor, const std::byte* storage, std::span<std::byte> out) {
  const size_t size = dtype_size(tensor.dtype);
  const size_t rank = tensor.shape.size();
  std::vector<int64_t> index(rank, 0);
  int64_t at = tensor.offset;
  for (size_t done = 0; done < out.size(); done += size) {
    std::copy_n(storage + static_cast<size_t>(at) * size, size, out.data() + done);
    for (size_t i = rank; i-- > 0;) {
      // The stride of a single element means nothing and may be any number.
      if (tensor.shape[i] == 1) continue;
      at += tensor.strides[i];
      if (++index[i] < tensor.shape[i]) break;
      at -= tensor.strides[i] * tensor.shape[i];
      index[i] = 0;
    }
  }
}

// Finds the tensors' bytes in the archive.
class TorchStorages {
 public:
  TorchStorages(ZipFile& zip, std::string prefix, const std::string& path, uint64_t file_bytes)
      : zip_(zip),
        prefix_(std::move(prefix)),
        path_(path),
        copy_budget_(file_bytes * kCopyRatio + kFreeCopyBytes) {}

  TensorView view(std::string_view name, const TorchTensor& tensor,
                  std::vector<AlignedBuffer<std::byte>>& copies) {
    const auto bytes = checked_tensor_bytes(tensor.shape, tensor.dtype);
    if (!bytes) fail(name, concat("has an impossible shape ", shape_text(tensor.shape)));
    const auto storage = find_storage(name, tensor);
    TensorView view{tensor.dtype, tensor.shape, storage.data()};
    if (*bytes == 0) return view;
    const auto last = last_element(tensor);
    if (!last || *last >= tensor.storage_elements) fail(name, "reaches beyond its storage");
    if (is_contiguous(tensor)) {
      view.data = storage.data() + static_cast<size_t>(tensor.offset) * dtype_size(tensor.dtype);
      return view;
    }
    if (*bytes > copy_budget_) fail(name, "repeats its elements too often; save a contiguous copy");
    copy_budget_ -= *bytes;
    AlignedBuffer<std::byte>& copy = copies.emplace_back(static_cast<size_t>(*bytes));
    copy_strided(tensor, storage.data(), {copy.data(), copy.size()});
    view.data = copy.data();
    return view;
  }

 private:
  [[noreturn]] void fail(std::string_view name, const std::string& problem) const {
    throw input_error(concat(path_, ": tensor \"", printable(name), "\" ", problem));
  }

  std::span<const std::byte> find_storage(std::string_view name, const TorchTensor& tensor) {
    const ZipEntry* entry = zip_.find(concat(prefix_, "data/", tensor.storage));
    if (entry == nullptr) {
      fail(name, concat("needs the storage ", printable(tensor.storage),
                        ", which the file does not hold"));
    }
    const int64_t elements = tensor.storage_elements;
    const auto bytes = checked_tensor_bytes({&elements, 1}, tensor.dtype);
    if (!bytes || *bytes != entry->size) {
      fail(name, concat("needs a storage of ", elements, " elements of ", dtype_name(tensor.dtype),
                        ", but that has ", entry->size, " bytes"));
    }
    return zip_.read(*entry);
  }

  ZipFile& zip_;
  std::string prefix_;
  const std::string& path_;
  uint64_t copy_budget_;
};

}  // namespace

TorchFile::TorchFile(const std::string& path) : file_(std::make_unique<MappedFile>(path)) {
  parse(file_->bytes(), path, {});
}

TorchFile::TorchFile(std::span<const std::byte> bytes, const std::string& path,
                     const ZipLimits& limits) {
  parse(bytes, path, limits);
}

void TorchFile::parse(std::span<const std::byte> bytes, const std::string& path,
                      const ZipLimits& limits) {
  path_ = path;
  if (as_text(bytes).starts_with(kLegacyMagic)) {
    throw input_error(concat(path,
                             ": is of PyTorch's format before 1.6; load it in PyTorch and "
                             "save it again with torch.save"));
  }
  zip_ = std::make_unique<ZipFile>(bytes, path, limits);
  const std::string prefix = find_prefix(*zip_, path);
  check_byte_order(*zip_, prefix, path);
  const ZipEntry* entry = zip_->find(prefix + "data.pkl");
  const Pickle pickle = read_pickle(zip_->read(*entry), concat(path, ": data.pkl"));
  ignored_ = unknown_globals(pickle);
  TorchStorages storages(*zip_, prefix, path, bytes.size());
  for (const TorchEntry& found : find_torch_weights(pickle, path)) {
    if (const auto* none = std::get_if<NoTensor>(&found.value)) {
      refused_.emplace(found.name, none->name);
      continue;
    }
    tensors_.emplace(found.name,
                     storages.view(found.name, std::get<TorchTensor>(found.value), copies_));
    names_.emplace_back(found.name);
  }
}

std::vector<std::string> TorchFile::unreadable() const {
  std::vector<std::string> names;
  for (const auto& [name, why] : refused_) names.push_back(name);
  return names;
}

const TensorView* TorchFile::find(std::string_view name) const {
  if (const auto found = tensors_.find(name); found != tensors_.end()) return &found->second;
  if (const auto found = refused_.find(name); found != refused_.end()) {
    throw input_error(concat(path_, ": \"", printable(name), "\" is no plain tensor but ",
                             found->second, ", which is not read; save a plain tensor there"));
  }
  return nullptr;
}

}  // namespace m2
