#include "cli/number_checks.h"

#include <charconv>

#include "core/text.h"

namespace m2 {
namespace {

CLI::Validator check_of(bool (*is_fit)(double), const char* must, const char* type) {
  return {[is_fit, must](std::string& text) {
            double value = 0;
            const char* end = text.data() + text.size();
            const auto [stop, problem] = std::from_chars(text.data(), end, value);
            const bool is_number = problem == std::errc() && stop == end;
            return is_number && is_fit(value) ? std::string()
                                              : concat("is ", printable(text), ", must be ", must);
          },
          type};
}

}  // namespace

CLI::Validator above_zero() {
  return check_of([](double value) { return value > 0; }, "a number above 0", "ABOVE 0");
}

CLI::Validator not_negative() {
  return check_of([](double value) { return value >= 0; }, "a number, 0 or above", "0 OR ABOVE");
}

}  // namespace m2
