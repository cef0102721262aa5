#include "train/metrics/crc32c.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace m2 {
namespace {

uint32_t crc_of(const std::string& text) {
  return crc32c(std::as_bytes(std::span(text)));
}

// RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
TEST(Crc32c, KnownVectors) {
  EXPECT_EQ(crc_of(""), 0u);
  EXPECT_EQ(crc_of("123456789"), 0xE3069283u);
  EXPECT_EQ(crc_of(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc_of(std::string(32, '\xFF')), 0x62A8AB43u);
  std::string rising;
  for (int i = 0; i < 32; ++i) rising += static_cast<char>(i);
  EXPECT_EQ(crc_of(rising), 0x46DD794Eu);
  EXPECT_EQ(crc_of({rising.rbegin(), rising.rend()}), 0x113FDB5Cu);
}

// A register that takes one bit at a time, highest power first: the definition itself.
uint32_t bitwise(const std::string& text) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : text) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool in = (static_cast<unsigned char>(c) >> bit & 1) != 0;
      const bool out = (crc >> 31) != 0;
      crc = (crc << 1) ^ (in != out ? 0x1EDC6F41u : 0u);
    }
  }
  uint32_t reversed = 0;
  for (int bit = 0; bit < 32; ++bit) reversed |= (crc >> bit & 1) << (31 - bit);
  return ~reversed;
}

TEST(Crc32c, IsThePolynomialsRemainder) {
  std::string text;
  for (int length = 0; length < 300; ++length) {
    EXPECT_EQ(crc_of(text), bitwise(text)) << length;
    text += static_cast<char>(length * 37 + length / 7);
  }
}

}  // namespace
}  // namespace m2
