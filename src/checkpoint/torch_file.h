// PyTorch checkpoints: a zip of a pickle (data.pkl) and one raw file for each storage (data/N).
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/tensor_file.h"
#include "checkpoint/zip.h"
#include "core/aligned_buffer.h"
#include "core/mapped_file.h"

namespace m2 {

// The weights of what torch.save wrote: a flat dictionary of tensors, or one under `state`/`model`
// (Composer), `state_dict` or `model`. Files older than the zip format (PyTorch 1.6) and
// TorchScript archives are refused with a line that says what to do.
//
// The pickle is read as data (checkpoint/pickle.h) and nothing is ever called. Of what it names,
// only the classes and functions that make up plain tensors are understood; everything else is an
// inert placeholder, listed by ignored(), and a name whose value needs one is left out of names()
// and refused by find().
//
// Contiguous tensors in stored entries point into the mapping; what was deflated and views with
// strides lie in memory of this object. A tensor whose numbers are unsound fails the whole file.
class TorchFile final : public TensorFile {
 public:
  explicit TorchFile(const std::string& path);
  // The same over bytes that outlive the object; `path` serves messages.
  TorchFile(std::span<const std::byte> bytes, const std::string& path,
            const ZipLimits& limits = {});

  const std::vector<std::string>& names() const override { return names_; }
  const TensorView* find(std::string_view name) const override;
  std::vector<std::string> unreadable() const override;
  void release_pages(std::span<const std::byte> range) const override {
    if (file_) file_->release_pages(range);
  }
  std::string format() const override { return "PyTorch"; }
  std::vector<std::string> ignored() const override { return ignored_; }

 private:
  void parse(std::span<const std::byte> bytes, const std::string& path, const ZipLimits& limits);

  std::unique_ptr<MappedFile> file_;
  std::unique_ptr<ZipFile> zip_;
  std::string path_;
  std::vector<std::string> names_;
  std::map<std::string, TensorView, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> refused_;  // name -> why
  std::vector<std::string> ignored_;
  std::vector<AlignedBuffer<std::byte>> copies_;
};

}  // namespace m2
