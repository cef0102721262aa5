// Which instruction set the kernels run on.
#pragma once

#include <string>
#include <vector>

namespace m2 {

// From best to plainest; the names the environment variable M2_ISA takes. kAmx is AVX-512 whose
// matrix products of bf16 and int8 run on tile registers: other bits, so another name.
enum class Isa { kAmx, kAvx512, kAvx2, kSse4, kScalar };

const char* isa_name(Isa isa);

// Those that this machine and this build have, best first.
std::vector<Isa> available_isas();

// The one in use: the best available, or what M2_ISA names. Fixed at the first call, which every
// kernel makes; Error(kUsage) when M2_ISA names none or one that the machine lacks.
Isa current_isa();

// For tests that compare instruction sets within one process: kernels alone follow this, oneDNN
// does not.
void force_isa_for_test(Isa isa);

// The instruction set that a dispatched call really reached; equals current_isa() or a test fails.
Isa dispatched_isa();

// "1.0.3": of the library that the kernels' vectors come from.
std::string highway_version();

}  // namespace m2
