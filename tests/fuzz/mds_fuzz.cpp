#include "data/mds.h"
#include "fuzz_input.h"

// The first byte says how many columns of four bytes stand before the text, the second how many
// samples the index announces.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  m2::MdsColumns columns;
  for (columns.text = 0; columns.text < data[0] % 4u; ++columns.text) {
    columns.sizes.emplace_back(4);
  }
  columns.sizes.emplace_back(std::nullopt);
  const uint64_t samples = data[1];
  const auto bytes = m2::fuzz_bytes(data, size).subspan(2);
  return m2::fuzz_reader([&] {
    const m2::MdsShard shard(bytes, columns, samples, "input");
    size_t sum = 0;
    for (uint64_t i = 0; i < samples; ++i) {
      for (const char c : shard.text(i)) sum += static_cast<unsigned char>(c);
    }
    if (sum > size * samples * 256) __builtin_trap();
  });
}
