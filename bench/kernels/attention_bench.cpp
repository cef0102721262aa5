// Attention of 64 queries of one head of 64 channels over all keys.
#include "kernels/attention.h"

#include <vector>

#include "kernel_bench.h"

namespace m2 {
namespace {

constexpr size_t kChannels = 64, kBlocks = kChannels / kChannelBlock;

struct Case {
  size_t keys, stride;
  AlignedBuffer<float> q, k, v, key_bias, out, work;

  explicit Case(size_t length)
      : keys(length),
        stride(length * kChannelBlock),
        q(random_buffer(kChannels * length, 1)),
        k(random_buffer(kChannels * length, 2)),
        v(random_buffer(kChannels * length, 3)),
        key_bias(length),
        out(kChannels * length),
        work(attention_work_floats(kBlocks)) {
    std::fill(key_bias.data(), key_bias.data() + length, 0.0f);
  }

  AttentionHead head() {
    AttentionHead head;
    head.channel_blocks = kBlocks;
    head.block_stride = stride;
    head.queries = kAttentionQueries;
    head.keys = keys;
    head.q = q.data();
    head.k = k.data();
    head.v = v.data();
    head.key_bias = key_bias.data();
    head.scale = 0.125f;  // 1/√64
    head.out = out.data();
    head.work = work.data();
    return head;
  }

  void check() {
    attention(head());
    std::vector<double> expected(kAttentionQueries * kChannels);
    reference::attention(head(), expected.data());
    AlignedBuffer<float> found(expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      const size_t query = i / kChannels, channel = i % kChannels;
      found[i] =
          out[channel / kChannelBlock * stride + query * kChannelBlock + channel % kChannelBlock];
    }
    require_close("attention", found.data(), expected.data(), expected.size(), 2e-6);
  }
};

void time_attention(benchmark::State& state) {
  Case c(static_cast<size_t>(state.range(0)));
  c.check();
  const AttentionHead head = c.head();
  for (auto _ : state) {
    attention(head);
    benchmark::ClobberMemory();
  }
  const double products = 2.0 * static_cast<double>(kAttentionQueries * c.keys * kChannels);
  state.counters["FLOP"] = a_second(2 * products);
}
BENCHMARK(time_attention)->Name("attention/keys")->Arg(128)->Arg(512)->Arg(2048)->Arg(8192);

}  // namespace
}  // namespace m2

int main(int argc, char** argv) {
  return m2::run_benchmarks(argc, argv);
}
