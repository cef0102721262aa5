// m2: texts to vectors, for programs in C. Programs in C++ may take m2/m2.hpp, which wraps this.
//
//   m2_model     what was read from files; shared by threads
//   m2_session   threads and memory; computes one call at a time
//   m2_result    the vectors of one call
//
// A call returns an m2_status; the text of an error is m2_last_error(). Nothing is printed, nothing
// is thrown, no signal handler is set, and no thread of the program's is changed.
#pragma once

#include <m2/base.h>
#include <m2/model.h>
#include <m2/result.h>
#include <m2/session.h>
#include <m2/tokens.h>
#include <m2/version.h>
