// Scalars in the event files that TensorBoard reads.
#pragma once

#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "train/metrics/metrics_file.h"

namespace m2 {

// One file FOLDER/events.out.tfevents.SECONDS.m2.PID.N of records as TensorFlow frames them: length
// (u64), masked CRC-32C of the length, payload, masked CRC-32C of the payload, all little-endian;
// the payload is a protobuf Event (tensorflow/core/util/event.proto).
class TensorBoardFile {
 public:
  // A run that goes on behind `kept_steps`, 0: a new one, writes a file of its own beside earlier
  // ones and has TensorBoard drop their later steps. Makes the folder. Throws Error(kFailed) naming
  // the path.
  TensorBoardFile(const std::string& folder, int64_t kept_steps);

  // `seconds` since 1970. Numbers are kept as float, as the format has them. Throws Error(kFailed).
  void write(int64_t step, double seconds, std::span<const Metric> metrics);
  void flush();

  const std::string& path() const { return path_; }

 private:
  void write_record(std::string_view payload);
  [[noreturn]] void fail() const;

  std::string path_;
  std::ofstream file_;
};

double seconds_since_1970();

// A CRC as the records hold it: rotated and shifted, since CRCs of data that holds CRCs are weak.
uint32_t masked_crc(uint32_t crc);

}  // namespace m2
