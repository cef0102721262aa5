// library: the C API of include/m2 over the rungs below. Uses embedding and what lies below.
//
// Each function of the API is one call_guarded(): what its body throws becomes a status and the
// thread's last error.
#pragma once

#include <m2/base.h>

#include <functional>
#include <string>

namespace m2 {

m2_status call_guarded(const std::function<void()>& body) noexcept;

// Brings core/log's messages to m2_set_log's function. core/log wants that done before threads call
// it, so the first call of the API does it.
void connect_log();

// Error(kUsage) that names the argument when it is null.
void check_pointer(const void* pointer, const char* name);

// `given`, or "" where it is null.
std::string text_of(const char* given);

}  // namespace m2
