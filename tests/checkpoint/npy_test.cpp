#include "checkpoint/npy.h"

#include <sstream>

#include "checkpoint/test_files.h"

namespace m2 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string npy(const std::string& header, const std::string& data, int version = 1) {
  const std::string length = version == 1 ? raw(static_cast<uint16_t>(header.size()))
                                          : raw(static_cast<uint32_t>(header.size()));
  return "\x93NUMPY" + std::string(1, static_cast<char>(version)) + std::string(1, '\0') + length +
         header + data;
}

std::string header_of(const std::string& dtype, const std::string& shape) {
  return "{'descr': '" + dtype + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
}

std::string refusal_of(const std::string& bytes) {
  return refusal([&] { NpyFile(as_span(bytes), "f.npy"); });
}

TEST(Npy, ReadsEveryVersionAndDType) {
  const std::string data = "12345678";
  for (const int version : {1, 2, 3}) {
    const std::string bytes = npy(header_of("<f4", "(2, 1)"), data, version);
    const NpyFile file(as_span(bytes), "f.npy");
    EXPECT_EQ(file.tensor().dtype, DType::kF32);
    EXPECT_THAT(file.tensor().shape, ElementsAre(2, 1));
    EXPECT_EQ(bytes_of(&file.tensor()), data);
  }
  const std::vector<std::pair<std::string, DType>> dtypes = {
      {"<f8", DType::kF64}, {"<f2", DType::kF16}, {"<i8", DType::kI64}, {"<i4", DType::kI32},
      {"<i2", DType::kI16}, {"|i1", DType::kI8},  {"|u1", DType::kU8},  {"|b1", DType::kBool}};
  for (const auto& [name, dtype] : dtypes) {
    const auto count = static_cast<int64_t>(8 / dtype_size(dtype));
    const std::string bytes = npy(header_of(name, "(" + std::to_string(count) + ",)"), data);
    EXPECT_EQ(NpyFile(as_span(bytes), "f").tensor().dtype, dtype);
  }
}

TEST(Npy, ReadsHeadersOfOtherWriters) {
  const std::string any_order = "{\"shape\":(), \"fortran_order\" : False,'descr':'<i8'}";
  const std::string bytes = npy(any_order, raw(int64_t{-5}));
  const NpyFile file(as_span(bytes), "f.npy");
  EXPECT_TRUE(file.tensor().shape.empty());
  EXPECT_EQ(bytes_of(&file.tensor()), raw(int64_t{-5}));
  EXPECT_NO_THROW(NpyFile(as_span(npy(header_of("<f4", "(0, 5)"), "")), "f"));
}

TEST(Npy, RefusesWhatItDoesNotRead) {
  EXPECT_THAT(refusal_of("no numpy at all"), HasSubstr("no .npy file"));
  EXPECT_THAT(refusal_of(npy("", "", 4)), HasSubstr("version 4"));
  EXPECT_THAT(refusal_of(npy(header_of(">f4", "(1,)"), "1234")), HasSubstr("big-endian"));
  EXPECT_THAT(refusal_of(npy(header_of("|O", "(1,)"), "1234")), HasSubstr("|O"));
  EXPECT_THAT(refusal_of(npy(header_of("<U4", "(1,)"), "1234")), HasSubstr("<U4"));
  EXPECT_THAT(refusal_of(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", "1234")),
              HasSubstr("Fortran"));
  EXPECT_THAT(
      refusal_of(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "1234")),
      HasSubstr("structures"));
}

TEST(Npy, RefusesDamagedHeaders) {
  for (const char* header :
       {"", "{", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': __import__('os')}"}) {
    EXPECT_THAT(refusal_of(npy(header, "1234")), HasSubstr("f.npy")) << header;
  }
  const std::string deep = "{'descr': " + std::string(50'000, '(');
  EXPECT_THAT(refusal_of(npy(deep, "1234")), HasSubstr("damaged"));
  EXPECT_THAT(refusal_of(npy(header_of("<f4", "(1,)") + std::string(70'000, ' '), "1234", 2)),
              HasSubstr("oversized"));
}

TEST(Npy, RefusesShapesThatLie) {
  for (const char* shape :
       {"(2,)", "()", "(4294967296, 4294967296)", "(9223372036854775807, 9)",
        "(99999999999999999999,)", "(9223372036854775807, 0, 9223372036854775807)"}) {
    EXPECT_THAT(refusal_of(npy(header_of("<f4", shape), "123")), HasSubstr("f.npy")) << shape;
  }
  EXPECT_THAT(refusal_of(npy(header_of("<f4", "(1,)"), "12345")), HasSubstr("5 bytes"));
}

TEST(Npy, RefusesEveryCutAndSurvivesEveryFlippedBit) {
  const std::string header = header_of("<f4", "(2, 1)");
  const std::string whole = npy(header, "12345678");
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(refusal_of(whole.substr(0, size)), HasSubstr("f.npy")) << size;
  }
  for_each_flip(whole, whole.size() - 8, [](const std::string& bytes) {
    takes([&] {
      const NpyFile file(as_span(bytes), "f");
      EXPECT_LE(file.tensor().bytes(), 8u);
    });
  });
}

TEST(NpyWriter, WritesKnownAndUnknownRows) {
  std::string first;
  for (const std::optional<int64_t> rows : {std::optional<int64_t>(3), std::optional<int64_t>()}) {
    std::stringstream out;
    out << "before";
    NpyWriter writer(out, DType::kF32, {2}, rows);
    writer.write(as_span(floats(4)));
    writer.write(as_span(floats(2)));
    writer.finish();
    const std::string bytes = out.str().substr(6);
    const NpyFile file(as_span(bytes), "f");
    EXPECT_THAT(file.tensor().shape, ElementsAre(3, 2));
    EXPECT_EQ(bytes_of(&file.tensor()), floats(4) + floats(2));
    EXPECT_EQ((bytes.size() - 24) % 64, 0u);
    // Both ways give the same bytes.
    if (first.empty()) first = bytes;
    EXPECT_EQ(bytes, first);
  }
}

TEST(NpyWriter, WritesRowsOfNumbersAndNoRows) {
  std::stringstream out;
  NpyWriter writer(out, DType::kI64, {});
  writer.finish();
  const std::string bytes = out.str();
  EXPECT_THAT(NpyFile(as_span(bytes), "f").tensor().shape, ElementsAre(0));
}

TEST(NpyWriter, SaysWhenTheStreamFails) {
  std::ofstream full("/dev/full", std::ios::binary);
  const std::string rows(100'000, 'x');
  try {
    NpyWriter writer(full, DType::kU8, {10}, 10'000);
    writer.write(as_span(rows));
    writer.finish();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
  }
}

}  // namespace
}  // namespace m2
