// What every call of the library shares: its status, the text of an error, the log.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define M2_API __attribute__((visibility("default")))
#ifdef __cplusplus
#define M2_NOTHROW noexcept
extern "C" {
#else
#define M2_NOTHROW
#endif

// What a call came to. M2_FAILED, M2_WRONG_USE, M2_BAD_INPUT and M2_CANCELLED are the exit codes of
// the program m2. More may be added: take what you do not know for M2_FAILED.
typedef enum m2_status {
  M2_OK = 0,
  M2_FAILED = 1,         // the work failed: no thread could be started, a number became NaN
  M2_WRONG_USE = 2,      // of this call: a null pointer, a freed handle, a value that means nothing
  M2_BAD_INPUT = 3,      // a file is missing, damaged or of an unsupported kind; a text is empty,
                         // no UTF-8 or longer than the model
  M2_OUT_OF_MEMORY = 4,  // fewer or shorter texts, a smaller filter cache or fewer threads may do
  M2_INTERNAL = 5,       // a mistake of the library's own
  M2_CANCELLED = 130     // by m2_session_cancel or a progress callback
} m2_status;

// One line that says what went wrong in this thread's last call that returned another status than
// M2_OK, where, and what to do; empty when none has. It is the program's message and may name the
// program's flags; the options here bear the flags' names. Valid until the thread's next call that
// does not return M2_OK. Any thread; never null.
M2_API const char* m2_last_error(void) M2_NOTHROW;

// "0.1.0": of the library, which may be newer than M2_VERSION of the headers. Valid for ever.
M2_API const char* m2_version(void) M2_NOTHROW;

typedef enum m2_log_level { M2_LOG_DEBUG = 0, M2_LOG_INFO = 1, M2_LOG_WARNING = 2 } m2_log_level;

// `message` is one line without its end, valid during the call.
typedef void (*m2_log_function)(void* user, m2_log_level level, const char* message);

// Where the library's messages go; null (the state at the start) drops them. Nothing is ever
// printed. One function for the whole process, called from the threads that call the library and
// those it starts, one call at a time. Once this returns the function set before is not running and
// is not called again, unless this is called from within that function. Any thread. Errors: none
// but M2_OUT_OF_MEMORY.
M2_API m2_status m2_set_log(m2_log_function function, void* user) M2_NOTHROW;

// Left alone, yes or no.
typedef enum m2_choice { M2_DEFAULT = 0, M2_YES = 1, M2_NO = 2 } m2_choice;

// The length of a text that ends with a zero byte.
#define M2_UNTIL_ZERO SIZE_MAX

// How options and answers grow. A struct with `struct_size` is begun by its function ..._init(),
// which sets the size that the program was compiled with and zeros, and zero is always the default.
// Later versions add members at the end: a library gives an older program's struct the defaults,
// and refuses with M2_WRONG_USE a newer program's that sets what it does not know. Where a pointer
// to options is null, all are defaults. Strings in options are read during the call alone.
// NOLINTBEGIN(modernize-redundant-void-arg): C99 wants it
#define M2_INIT_FUNCTION(type)           \
  static inline type type##_init(void) { \
    type begun;                          \
    memset(&begun, 0, sizeof begun);     \
    begun.struct_size = sizeof begun;    \
    return begun;                        \
  }
// NOLINTEND(modernize-redundant-void-arg)

#ifdef __cplusplus
}
#endif
