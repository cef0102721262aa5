#include "hub/checksum.h"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr size_t kChunkBytes = 1 << 20;
constexpr size_t kSha256Digits = 64, kSha1Digits = 40;

class Digest {
 public:
  explicit Digest(const EVP_MD* kind) : context_(EVP_MD_CTX_new()) {
    check(context_ && EVP_DigestInit_ex(context_.get(), kind, nullptr) == 1);
  }

  void add(std::string_view bytes) {
    check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }

  std::string hex() {
    constexpr char kDigits[] = "0123456789abcdef";
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    check(EVP_DigestFinal_ex(context_.get(), bytes.data(), &size) == 1);
    std::string text;
    for (unsigned i = 0; i < size; ++i) text += {kDigits[bytes[i] >> 4], kDigits[bytes[i] & 15]};
    return text;
  }

 private:
  struct Deleter {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };

  static void check(bool done) {
    if (!done) throw failed_error("OpenSSL computes no checksum here");
  }

  std::unique_ptr<EVP_MD_CTX, Deleter> context_;
};

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == text.npos;
}

void add_file(const std::string& path, const std::function<bool()>& interrupted, Digest& digest) {
  std::vector<char> chunk(kChunkBytes);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  while (file) {
    file.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    digest.add({chunk.data(), static_cast<size_t>(file.gcount())});
    if (interrupted && interrupted()) throw Error(ErrorKind::kInterrupted, "interrupted");
  }
  if (!file.eof()) throw failed_error(concat(path, ": cannot be read: ", std::strerror(errno)));
}

}  // namespace

bool agrees_with_etag(const std::string& path, const std::string& etag,
                      const std::function<bool()>& interrupted) {
  const bool sha256 = etag.size() == kSha256Digits && is_hex(etag);
  const bool git_blob = etag.size() == kSha1Digits && is_hex(etag);
  if (!sha256 && !git_blob) return true;
  Digest digest(sha256 ? EVP_sha256() : EVP_sha1());
  if (git_blob) {
    std::string head = concat("blob ", std::filesystem::file_size(path));
    head += '\0';
    digest.add(head);
  }
  add_file(path, interrupted, digest);
  return digest.hex() == etag;
}

}  // namespace m2
