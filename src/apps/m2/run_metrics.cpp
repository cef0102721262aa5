#include "apps/m2/run_metrics.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "checkpoint/json.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestLine = size_t{1} << 20;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
const char kFileName[] = "metrics.jsonl";

std::string metrics_file(const std::string& run) {
  std::error_code ignored;
  if (!fs::is_directory(run, ignored)) return run;
  const fs::path file = fs::path(run) / kFileName;
  if (fs::exists(file, ignored)) return file.string();
  throw input_error(concat(run, ": holds no ", kFileName, "; name the save_folder of a training"));
}

class Reader {
 public:
  Reader(std::string file, const std::string& x) : x_name_(x) { run_.file = std::move(file); }

  RunMetrics read() {
    std::ifstream in(run_.file, std::ios::binary);
    if (!in) throw input_error(run_.file + ": no such file, or it cannot be read");
    std::string line;
    while (std::getline(in, line) && !in.eof()) take(line);
    if (in.bad()) throw input_error(run_.file + ": cannot be read to its end");
    if (lines_ == 0) throw input_error(run_.file + ": holds no whole line yet");
    return std::move(run_);
  }

 private:
  void take(const std::string& line) {
    const std::string where = concat(run_.file, ": line ", ++lines_);
    if (line.size() > kLongestLine) throw input_error(where + " is longer than 1 MiB");
    const nlohmann::json json = parse_json(line, where);
    const auto step = json.is_object() ? json.find("step") : json.end();
    if (step == json.end() || !step->is_number_integer()) {
      throw input_error(where + " has no whole number \"step\"");
    }
    x_ = x_of(json, step->get<double>());
    for (const auto& [name, value] : json.items()) {
      if (name == "step") continue;
      if (!value.is_number() && !value.is_null()) {
        throw input_error(
            concat(where, ": \"", printable(name), "\" is neither a number nor null"));
      }
      run_.curves[name].push_back({x_, value.is_null() ? kNone : value.get<double>()});
    }
  }

  double x_of(const nlohmann::json& json, double step) const {
    if (x_name_ == "step") return step;
    const auto found = json.find(x_name_);
    return found != json.end() && found->is_number() ? found->get<double>() : x_;
  }

  RunMetrics run_;
  std::string x_name_;
  double x_ = kNone;
  int64_t lines_ = 0;
};

std::string folder_name(const std::string& run) {
  std::error_code ignored;
  fs::path path = fs::absolute(run, ignored).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // "runs/a/"
  if (path.filename() == kFileName) path = path.parent_path();
  const bool file = path.extension() == ".jsonl";
  return file ? path.stem().string() : path.filename().string();
}

}  // namespace

RunMetrics read_run_metrics(const std::string& run, const std::string& x) {
  return Reader(metrics_file(run), x).read();
}

std::vector<std::string> run_labels(const std::vector<std::string>& runs) {
  std::map<std::string, int> count;
  for (const std::string& run : runs) ++count[folder_name(run)];
  std::vector<std::string> labels;
  for (const std::string& run : runs) {
    const std::string name = folder_name(run);
    labels.push_back(count[name] > 1 ? run : name);
  }
  return labels;
}

std::vector<PlotPoint> smoothed(const std::vector<PlotPoint>& points, int window) {
  std::vector<double> sums{0};  // of the y before each place
  std::vector<size_t> counts{0};
  for (const PlotPoint& point : points) {
    const bool counted = !std::isnan(point.y);
    sums.push_back(sums.back() + (counted ? point.y : 0));
    counts.push_back(counts.back() + (counted ? 1 : 0));
  }
  std::vector<PlotPoint> result = points;
  for (size_t i = 0; i < points.size() && window > 1; ++i) {
    if (std::isnan(points[i].y)) continue;
    const size_t end = i + 1, begin = end - std::min(end, static_cast<size_t>(window));
    result[i].y = (sums[end] - sums[begin]) / static_cast<double>(counts[end] - counts[begin]);
  }
  return result;
}

std::vector<PlotPoint> thinned(const std::vector<PlotPoint>& points, size_t most) {
  if (points.size() <= most) return points;
  std::vector<PlotPoint> result;
  for (size_t i = 0; i < most; ++i) {
    result.push_back(points[i * (points.size() - 1) / (most - 1)]);
  }
  return result;
}

}  // namespace m2
