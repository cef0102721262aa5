#include "train/checkpoints/file_hashes.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

#include "checkpoint/new_file.h"
#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"

namespace m2::train {
namespace {

namespace fs = std::filesystem;

constexpr size_t kDigits = 64;
constexpr size_t kLongestList = 1 << 16;

std::string hex_text(const unsigned char* bytes, unsigned size) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += {kHex[bytes[i] >> 4], kHex[bytes[i] & 15]};
  return text;
}

// Of a line "HASH  NAME"; false where it is none, or the name leads out of the folder.
bool parse_line(const std::string& line, std::string& hash, std::string& name) {
  if (line.size() <= kDigits + 2 || line.compare(kDigits, 2, "  ") != 0) return false;
  hash = line.substr(0, kDigits);
  name = line.substr(kDigits + 2);
  return hash.find_first_not_of("0123456789abcdef") == std::string::npos &&
         name.find('/') == std::string::npos;
}

}  // namespace

std::string sha256_of_file(const fs::path& path) {
  const auto fail = [&](const std::string& why) {
    return failed_error(concat(path.string(), ": cannot be hashed: ", why));
  };
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  bool good = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::vector<char> chunk(1 << 20);
  while (good && file) {
    file.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    good = EVP_DigestUpdate(context.get(), chunk.data(), static_cast<size_t>(file.gcount())) == 1;
  }
  if (good && !file.eof()) throw fail(std::strerror(errno));
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  good = good && EVP_DigestFinal_ex(context.get(), bytes.data(), &size) == 1;
  if (!good) throw fail("OpenSSL has no SHA-256 here");
  return hex_text(bytes.data(), size);
}

void write_hash_list(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().filename() != kHashList) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::string list;
  for (const fs::path& file : files) {
    list += concat(sha256_of_file(file), "  ", file.filename().string(), "\n");
  }
  write_new_file((folder / kHashList).string(), list);
}

std::string find_damage(const fs::path& folder) {
  try {
    std::istringstream list(read_text_file((folder / kHashList).string(), kLongestList));
    int files = 0;
    std::string hash, name;
    for (std::string line; std::getline(list, line); ++files) {
      if (!parse_line(line, hash, name)) return concat(kHashList, " is no list of hashes");
      if (!fs::is_regular_file(folder / name)) return concat(name, " is missing");
      if (sha256_of_file(folder / name) != hash) return concat(name, " has other bytes than saved");
    }
    return files == 0 ? concat(kHashList, " is empty") : "";
  } catch (const std::exception& problem) {
    return problem.what();
  }
}

}  // namespace m2::train
