// Compressed files for the tests.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <string>

namespace m2 {

inline std::string gzip(const std::string& text) {
  z_stream stream{};
  constexpr int kGzipHeader = 16, kMemory = 8;
  EXPECT_EQ(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + kGzipHeader, kMemory,
                         Z_DEFAULT_STRATEGY),
            Z_OK);
  std::string bytes(deflateBound(&stream, text.size()), '\0'), input = text;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  bytes.resize(bytes.size() - stream.avail_out);
  deflateEnd(&stream);
  return bytes;
}

// A frame as of a stream whose length is not known at the start: it asks for the whole window.
inline std::string zstd(const std::string& text, int window_log = 20) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  std::string bytes(ZSTD_compressBound(text.size()) + 64, '\0');
  ZSTD_outBuffer out{bytes.data(), bytes.size(), 0};
  const size_t half = text.size() / 2;
  for (const bool last : {false, true}) {
    ZSTD_inBuffer in{text.data() + (last ? half : 0), last ? text.size() - half : half, 0};
    const size_t left = ZSTD_compressStream2(context, &out, &in, last ? ZSTD_e_end : ZSTD_e_flush);
    EXPECT_EQ(left, 0u);
  }
  ZSTD_freeCCtx(context);
  bytes.resize(out.pos);
  return bytes;
}

}  // namespace m2
