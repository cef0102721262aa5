#include "serve/metrics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/text.h"

namespace m2 {
namespace {

std::string number(double value) {
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), end.ptr};
}

void line(const std::string& name, const std::string& labels, const std::string& value,
          std::string& out) {
  out += name;
  if (!labels.empty()) out += "{" + labels + "}";
  out += " " + value + "\n";
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void Histogram::add(double value) {
  const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  const std::lock_guard lock(mutex_);
  ++counts_[static_cast<size_t>(at)];
  sum_ += value;
}

void Histogram::write(const std::string& name, const std::string& labels, std::string& out) const {
  const std::lock_guard lock(mutex_);
  const std::string before = labels.empty() ? "" : labels + ",";
  uint64_t count = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    count += counts_[i];
    const std::string bound = i < bounds_.size() ? number(bounds_[i]) : "+Inf";
    line(name + "_bucket", concat(before, "le=\"", bound, "\""), std::to_string(count), out);
  }
  line(name + "_sum", labels, number(sum_), out);
  line(name + "_count", labels, std::to_string(count), out);
}

Metrics::Family& Metrics::family(const std::string& name, const std::string& help,
                                 const char* type) {
  Family& family = families_[name];
  family.help = help;
  family.type = type;
  return family;
}

Counter& Metrics::counter(const std::string& name, const std::string& help,
                          const std::string& labels) {
  const std::lock_guard lock(mutex_);
  return family(name, help, "counter").counters[labels];
}

Histogram& Metrics::histogram(const std::string& name, const std::string& help,
                              const std::vector<double>& bounds, const std::string& labels) {
  const std::lock_guard lock(mutex_);
  return family(name, help, "histogram").histograms.try_emplace(labels, bounds).first->second;
}

void Metrics::gauge(const std::string& name, const std::string& help, Read read,
                    const std::string& labels) {
  const std::lock_guard lock(mutex_);
  family(name, help, "gauge").reads[labels] = std::move(read);
}

void Metrics::counted(const std::string& name, const std::string& help, Read read,
                      const std::string& labels) {
  const std::lock_guard lock(mutex_);
  family(name, help, "counter").reads[labels] = std::move(read);
}

std::string Metrics::text() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    out += concat("# HELP ", name, " ", family.help, "\n# TYPE ", name, " ", family.type, "\n");
    for (const auto& [labels, counter] : family.counters) {
      line(name, labels, std::to_string(counter.value()), out);
    }
    for (const auto& [labels, read] : family.reads) line(name, labels, number(read()), out);
    for (const auto& [labels, histogram] : family.histograms) histogram.write(name, labels, out);
  }
  return out;
}

std::string metric_label(const std::string& name, const std::string& value) {
  std::string text = name + "=\"";
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
    } else {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
  }
  return text + "\"";
}

std::vector<double> seconds_bounds() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
          1,     2.5,    5,     10,   30,    60,   120, 300,  600};
}

}  // namespace m2
