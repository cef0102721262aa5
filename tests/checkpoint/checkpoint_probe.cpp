// Shows what the readers make of a file; driven by checkpoint_oracle_test.py.
//   checkpoint_probe tensors PATH    a line "name<TAB>dtype<TAB>shape<TAB>hex bytes" a tensor, then
//                                    "ignored<TAB>class" lines
//   checkpoint_probe find PATH NAME  the line of one tensor
//   checkpoint_probe npy PATH        the same line for a .npy file
//   checkpoint_probe copy PATH OUT   writes the tensors to a safetensors file
//   checkpoint_probe npy-copy PATH OUT  writes the rows of a .npy file to another, row by row
// An error is its line on stderr and its kind as the exit code.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>

#include "checkpoint/npy.h"
#include "checkpoint/safetensors.h"
#include "core/error.h"
#include "core/text.h"

namespace {

using namespace m2;

void print(const std::string& name, const TensorView& tensor) {
  std::cout << name << '\t' << dtype_name(tensor.dtype) << '\t' << shape_text(tensor.shape) << '\t';
  const auto* bytes = static_cast<const unsigned char*>(tensor.data);
  for (size_t i = 0; i < tensor.bytes(); ++i) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", bytes[i]);
    std::cout << digits;
  }
  std::cout << '\n';
}

void print_tensors(const std::string& path) {
  const Checkpoint checkpoint = open_checkpoint(path);
  for (const std::string& name : checkpoint.tensors->names()) {
    print(name, *checkpoint.tensors->find(name));
  }
  for (const std::string& name : checkpoint.tensors->ignored()) {
    std::cout << "ignored\t" << name << '\n';
  }
}

void copy(const std::string& path, const std::string& out) {
  const Checkpoint checkpoint = open_checkpoint(path);
  std::vector<NamedTensor> tensors;
  for (const std::string& name : checkpoint.tensors->names()) {
    tensors.push_back({name, *checkpoint.tensors->find(name)});
  }
  write_safetensors(out, tensors, {{"format", "pt"}});
}

void copy_npy(const std::string& path, const std::string& out) {
  const NpyFile file(path);
  const TensorView& tensor = file.tensor();
  std::ofstream stream(out, std::ios::binary);
  NpyWriter writer(stream, tensor.dtype, {tensor.shape.begin() + 1, tensor.shape.end()});
  const auto rows = static_cast<size_t>(tensor.shape.front());
  const size_t row = rows == 0 ? 0 : tensor.bytes() / rows;
  for (size_t i = 0; i < rows; ++i) {
    writer.write({static_cast<const std::byte*>(tensor.data) + i * row, row});
  }
  writer.finish();
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    if (words.size() == 2 && words[0] == "tensors") {
      print_tensors(words[1]);
    } else if (words.size() == 3 && words[0] == "find") {
      const Checkpoint checkpoint = open_checkpoint(words[1]);
      print(words[2], *checkpoint.tensors->find(words[2]));
    } else if (words.size() == 2 && words[0] == "npy") {
      print("", NpyFile(words[1]).tensor());
    } else if (words.size() == 3 && words[0] == "copy") {
      copy(words[1], words[2]);
    } else if (words.size() == 3 && words[0] == "npy-copy") {
      copy_npy(words[1], words[2]);
    } else {
      throw usage_error("see the head of checkpoint_probe.cpp");
    }
  } catch (const Error& error) {
    std::cerr << error.what() << '\n';
    return static_cast<int>(error.kind());
  }
  return 0;
}
