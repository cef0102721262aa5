#include "core/error.h"

namespace m2 {

Error failed_error(const std::string& message) {
  return {ErrorKind::kFailed, message};
}
Error usage_error(const std::string& message) {
  return {ErrorKind::kUsage, message};
}
Error input_error(const std::string& message) {
  return {ErrorKind::kInput, message};
}

void fail_check(const char* condition, const char* file, int line) {
  throw std::logic_error(std::string("internal error: ") + condition + " does not hold at " + file +
                         ":" + std::to_string(line));
}

}  // namespace m2
