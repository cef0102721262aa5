#include "documents/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 17;
constexpr int kLargestWindowLog = 27;  // zstd --long=27

class PlainFile final : public ByteSource {
 public:
  explicit PlainFile(const std::string& path)
      : path_(path), file_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (file_ < 0) fail(std::strerror(errno));
    struct stat status{};
    if (fstat(file_, &status) != 0 || !S_ISREG(status.st_mode)) {
      close(file_);
      fail(S_ISDIR(status.st_mode) ? "it is a folder" : "it is no regular file");
    }
    posix_fadvise(file_, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  ~PlainFile() override { close(file_); }
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;

  size_t read(std::span<char> buffer) override {
    while (true) {
      const ssize_t count = ::read(file_, buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail(std::strerror(errno));
      taken_ += static_cast<uint64_t>(count);
      return static_cast<size_t>(count);
    }
  }

  uint64_t bytes_taken() const override { return taken_; }
  const std::string& path() const { return path_; }

 private:
  [[noreturn]] void fail(const char* reason) const {
    throw input_error(concat(path_, ": cannot be read: ", reason));
  }

  std::string path_;
  int file_;
  uint64_t taken_ = 0;
};

// What the two kinds of compressed files share: the chunk at hand, the limit, the errors.
class ExpandedFile : public ByteSource {
 public:
  ExpandedFile(const std::string& path, uint64_t largest)
      : file_(path), chunk_(kChunkBytes), largest_(largest) {}

  uint64_t bytes_taken() const override { return file_.bytes_taken(); }

 protected:
  // Compressed bytes that are at hand; read from the file where there are none.
  std::span<char> at_hand() {
    if (begin_ == end_ && !at_end_) {
      begin_ = 0;
      end_ = file_.read(chunk_);
      at_end_ = end_ == 0;
    }
    return std::span(chunk_).subspan(begin_, end_ - begin_);
  }
  void take(size_t count) { begin_ += count; }

  size_t give(size_t count) {
    given_ += count;
    if (given_ > largest_) {
      throw input_error(concat(file_.path(), ": expands to more than the ", bytes_text(largest_),
                               " that a compressed file may hold; raise the limit if it is sound"));
    }
    return count;
  }

  [[noreturn]] void fail_short() const {
    throw input_error(file_.path() + ": is cut short; make or download it again");
  }
  [[noreturn]] void fail_damaged(const char* kind, std::string_view reason) const {
    throw input_error(concat(file_.path(), ": is no sound ", kind, " file (", printable(reason),
                             "); make or download it again"));
  }

 private:
  PlainFile file_;
  std::vector<char> chunk_;
  size_t begin_ = 0, end_ = 0;
  bool at_end_ = false;
  uint64_t given_ = 0;
  uint64_t largest_;
};

class GzipFile final : public ExpandedFile {
 public:
  GzipFile(const std::string& path, uint64_t largest) : ExpandedFile(path, largest) {
    constexpr int kGzipHeader = 16;
    if (inflateInit2(&stream_, MAX_WBITS + kGzipHeader) != Z_OK) {
      throw failed_error(path + ": zlib has no memory to expand it");
    }
  }
  ~GzipFile() override { inflateEnd(&stream_); }

  size_t read(std::span<char> buffer) override {
    const size_t room = std::min<size_t>(buffer.size(), std::numeric_limits<uInt>::max());
    stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_.avail_out = static_cast<uInt>(room);
    while (stream_.avail_out == room) {
      const std::span<char> input = at_hand();
      if (input.empty()) {
        if (inside_) fail_short();
        return 0;
      }
      inside_ = true;
      stream_.next_in = reinterpret_cast<Bytef*>(input.data());
      stream_.avail_in = static_cast<uInt>(input.size());
      const int status = inflate(&stream_, Z_NO_FLUSH);
      take(input.size() - stream_.avail_in);
      if (status == Z_STREAM_END) {
        inside_ = false;
        inflateReset(&stream_);  // another member may follow
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        fail_damaged("gzip", stream_.msg != nullptr ? stream_.msg : "zlib refuses it");
      }
    }
    return give(room - stream_.avail_out);
  }

 private:
  z_stream stream_{};
  bool inside_ = false;  // of a member
};

class ZstdFile final : public ExpandedFile {
 public:
  ZstdFile(const std::string& path, uint64_t largest)
      : ExpandedFile(path, largest), stream_(ZSTD_createDCtx()) {
    if (!stream_) throw failed_error(path + ": zstd has no memory to expand it");
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kLargestWindowLog);
  }

  size_t read(std::span<char> buffer) override {
    ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
    while (out.pos == 0) {
      const std::span<char> input = at_hand();
      // Without input there may still be bytes that had no room in the last buffer.
      if (input.empty() && !inside_) return 0;
      ZSTD_inBuffer in{input.data(), input.size(), 0};
      const size_t status = ZSTD_decompressStream(stream_.get(), &out, &in);
      take(in.pos);
      if (ZSTD_isError(status)) fail_damaged("zstd", ZSTD_getErrorName(status));
      inside_ = status != 0;
      if (input.empty() && out.pos == 0 && inside_) fail_short();
    }
    return give(out.pos);
  }

 private:
  struct Deleter {
    void operator()(ZSTD_DCtx* stream) const { ZSTD_freeDCtx(stream); }
  };
  std::unique_ptr<ZSTD_DCtx, Deleter> stream_;
  bool inside_ = false;  // of a frame
};

}  // namespace

Compression compression_of(std::string_view name, std::string_view& rest) {
  rest = name;
  if (name.ends_with(".gz")) {
    rest.remove_suffix(3);
    return Compression::kGzip;
  }
  if (name.ends_with(".zst")) {
    rest.remove_suffix(4);
    return Compression::kZstd;
  }
  return Compression::kNone;
}

std::unique_ptr<ByteSource> open_bytes(const std::string& path, Compression compression,
                                       uint64_t largest) {
  switch (compression) {
    case Compression::kGzip:
      return std::make_unique<GzipFile>(path, largest);
    case Compression::kZstd:
      return std::make_unique<ZstdFile>(path, largest);
    case Compression::kNone:
      break;
  }
  return std::make_unique<PlainFile>(path);
}

}  // namespace m2
