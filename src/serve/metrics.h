// Numbers about the server, in Prometheus' text format (version 0.0.4).
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace m2 {

class Counter {
 public:
  void add(uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void add(double value);
  // Lines of name_bucket, name_sum and name_count.
  void write(const std::string& name, const std::string& labels, std::string& out) const;

 private:
  const std::vector<double> bounds_;  // upper ones, rising
  mutable std::mutex mutex_;
  std::vector<uint64_t> counts_;  // one more than bounds
  double sum_ = 0;
};

// Families of metrics by name. Label values are the program's own or its configuration's, never a
// request's. Safe from any thread; what it returns lives as long as it does.
class Metrics {
 public:
  // `labels` as they are written: route="/embed",status="200"; may be empty.
  Counter& counter(const std::string& name, const std::string& help,
                   const std::string& labels = {});
  Histogram& histogram(const std::string& name, const std::string& help,
                       const std::vector<double>& bounds, const std::string& labels = {});
  using Read = std::function<double()>;
  void gauge(const std::string& name, const std::string& help, Read read,
             const std::string& labels = {});
  // A counter that is kept elsewhere.
  void counted(const std::string& name, const std::string& help, Read read,
               const std::string& labels = {});

  std::string text() const;

 private:
  struct Family {
    std::string help, type;
    std::map<std::string, Counter> counters;  // by labels
    std::map<std::string, Histogram> histograms;
    std::map<std::string, Read> reads;
  };
  Family& family(const std::string& name, const std::string& help, const char* type);

  mutable std::mutex mutex_;
  std::map<std::string, Family> families_;
};

// name="value", the value escaped.
std::string metric_label(const std::string& name, const std::string& value);

// 1 ms to 10 minutes, for times of requests.
std::vector<double> seconds_bounds();

}  // namespace m2
