#include "train/metrics/metrics_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "config/config_files.h"

namespace m2 {
namespace {

using testing::ElementsAre;

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

void write_steps(const std::string& path, int64_t kept, int64_t first, int64_t last) {
  MetricsFile file(path, kept);
  for (int64_t step = first; step <= last; ++step) {
    file.write(step, std::vector<Metric>{{"loss", 10.0 - static_cast<double>(step)}});
  }
}

TEST(MetricsFile, ALineIsJson) {
  const TestFolder folder;
  const std::string path = folder.path() + "/metrics.jsonl";
  MetricsFile file(path, 0);
  file.write(1, std::vector<Metric>{{"loss", 0.1}, {"a \"b\"\n", 1e-300}, {"none", std::nan("")}});
  file.write(1, std::vector<Metric>{{"evaluation/loss", -1.0 / 3}});
  file.write(3, std::vector<Metric>{});
  file.flush();
  const auto lines = lines_of(path);
  ASSERT_EQ(lines.size(), 3u);
  const auto first = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(first["step"], 1);
  EXPECT_EQ(first["loss"].get<double>(), 0.1);
  EXPECT_EQ(first["a \"b\"\n"].get<double>(), 1e-300);
  EXPECT_TRUE(first["none"].is_null());
  EXPECT_EQ(nlohmann::json::parse(lines[1])["evaluation/loss"].get<double>(), -1.0 / 3);
  EXPECT_EQ(lines[2], "{\"step\":3}");
}

TEST(MetricText, ReadsBackTheSame) {
  for (const double value : {0.0, 1.0, 0.1, 1.0 / 3, 6.02214076e23, 5e-324,
                             std::numeric_limits<double>::max(), -17.25}) {
    EXPECT_EQ(nlohmann::json::parse(metric_text(value)).get<double>(), value);
  }
  EXPECT_EQ(metric_text(std::numeric_limits<double>::infinity()), "null");
}

TEST(MetricsFile, AResumedRunHasEachStepOnce) {
  const TestFolder folder;
  const std::string path = folder.path() + "/metrics.jsonl";
  write_steps(path, 0, 1, 40);
  const auto straight = lines_of(path);
  write_steps(path, 0, 1, 25);    // stopped at 25, saved at 20
  write_steps(path, 20, 21, 33);  // stopped again, saved at 30
  write_steps(path, 30, 31, 40);
  EXPECT_EQ(lines_of(path), straight);
  write_steps(path, 40, 41, 41);  // nothing to cut
  EXPECT_EQ(lines_of(path).size(), 41u);
  write_steps(path, 0, 1, 2);  // a new run
  EXPECT_EQ(lines_of(path).size(), 2u);
}

TEST(MetricsFile, WhatIsNoWholeLineIsCutOff) {
  const TestFolder folder;
  const std::string path = folder.write("metrics.jsonl",
                                        "{\"step\":1,\"loss\":3}\nnot json\n{\"loss\":3}\n"
                                        "{\"step\":1.5}\n[1]\n{\"step\":2,\"loss\":2}\n" +
                                            std::string(100, '\0') + "\n{\"step\":3,\"loss\"");
  write_steps(path, 3, 4, 4);
  EXPECT_THAT(lines_of(path), ElementsAre("{\"step\":1,\"loss\":3}", "{\"step\":2,\"loss\":2}",
                                          "{\"step\":4,\"loss\":6}"));
  // A whole line but for its end may be a number cut short: 12 of 123.
  const std::string cut = folder.write("cut.jsonl", "{\"step\":1}\n{\"step\":2}");
  write_steps(cut, 2, 3, 3);
  EXPECT_THAT(lines_of(cut), ElementsAre("{\"step\":1}", "{\"step\":3,\"loss\":7}"));
}

TEST(MetricsFile, AResumeWithoutAFileBeginsOne) {
  const TestFolder folder;
  const std::string path = folder.path() + "/metrics.jsonl";
  write_steps(path, 5, 6, 6);
  EXPECT_THAT(lines_of(path), ElementsAre("{\"step\":6,\"loss\":4}"));
}

TEST(MetricsFile, AFullDiskIsSaidSo) {
  expect_error(ErrorKind::kFailed, "/dev/full: cannot be written: No space left", [] {
    MetricsFile file("/dev/full", 0);
    file.write(1, std::vector<Metric>{{"loss", 1}});
    file.flush();
  });
  const TestFolder folder;
  expect_error(ErrorKind::kFailed, "No such file",
               [&] { MetricsFile file(folder.path() + "/none/metrics.jsonl", 0); });
}

}  // namespace
}  // namespace m2
