#include "kernels/isa.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/isa.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/error.h"
#include "core/text.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {

int64_t ReachedTarget() {
  return HWY_TARGET;
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace m2 {
namespace {

HWY_EXPORT(ReachedTarget);

struct IsaInfo {
  Isa isa;
  const char* name;
  int64_t target;
};

constexpr std::array<IsaInfo, 5> kIsas = {{{Isa::kAmx, "amx", HWY_AVX3},
                                           {Isa::kAvx512, "avx512", HWY_AVX3},
                                           {Isa::kAvx2, "avx2", HWY_AVX2},
                                           {Isa::kSse4, "sse4", HWY_SSE4},
                                           {Isa::kScalar, "scalar", HWY_SCALAR}}};

const IsaInfo& info(Isa isa) {
  return kIsas[static_cast<size_t>(isa)];
}

// Tile registers, with both products on them, that the operating system saves.
bool has_amx() {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, features = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &features) == 0) return false;
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24, kInt8 = 1u << 25;
  constexpr unsigned kWanted = kBf16 | kTile | kInt8;
  if ((features & kWanted) != kWanted) return false;
  constexpr unsigned kSavesState = 1u << 27, kTileState = 3u << 17;
  __get_cpuid(1, &a, &b, &c, &features);
  if ((c & kSavesState) == 0) return false;
  unsigned saved = 0, high = 0;
  __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  return (saved & kTileState) == kTileState;
#else
  return false;
#endif
}

void dispatch_to(Isa isa) {
  hwy::SetSupportedTargetsForTest(info(isa).target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

Isa choose_isa() {
  const std::vector<Isa> available = available_isas();
  const char* wanted = std::getenv("M2_ISA");
  if (wanted == nullptr || *wanted == '\0') return available.front();
  std::vector<std::string> names;
  for (const Isa isa : available) {
    if (std::string(wanted) == isa_name(isa)) return isa;
    names.emplace_back(isa_name(isa));
  }
  throw usage_error(concat("M2_ISA=", printable(wanted),
                           " is not to be had here; this machine has ", join(names, ", ")));
}

std::atomic<Isa>& chosen() {
  static std::atomic<Isa> isa = [] {
    const Isa choice = choose_isa();
    dispatch_to(choice);
    return choice;
  }();
  return isa;
}

}  // namespace

const char* isa_name(Isa isa) {
  return info(isa).name;
}

std::vector<Isa> available_isas() {
  static const std::vector<Isa> available = [] {
    const int64_t supported = hwy::SupportedTargets();
    std::vector<Isa> found;
    for (const IsaInfo& entry : kIsas) {
      if ((supported & HWY_TARGETS & entry.target) == 0) continue;
      if (entry.isa != Isa::kAmx || has_amx()) found.push_back(entry.isa);
    }
    return found;
  }();
  return available;
}

Isa current_isa() {
  return chosen().load();
}

void force_isa_for_test(Isa isa) {
  chosen().store(isa);
  dispatch_to(isa);
}

std::string highway_version() {
  return concat(HWY_MAJOR, ".", HWY_MINOR, ".", HWY_PATCH);
}

Isa dispatched_isa() {
  current_isa();
  const int64_t target = HWY_DYNAMIC_DISPATCH(ReachedTarget)();
  if (target == info(chosen()).target) return chosen();
  for (const IsaInfo& entry : kIsas) {
    if (entry.target == target) return entry.isa;
  }
  throw std::logic_error("a kernel was compiled for an instruction set outside the list");
}

}  // namespace m2
#endif
