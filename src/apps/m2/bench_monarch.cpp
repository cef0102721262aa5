#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/m2/command.h"
#include "cli/interrupt.h"
#include "cli/output_file.h"
#include "core/error.h"
#include "core/machine.h"
#include "core/random.h"
#include "core/text.h"
#include "core/threads.h"
#include "kernels/block_product.h"
#include "kernels/isa.h"
#include "ops/gemm/matmul.h"

namespace m2 {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;  // of the JSON document; another number where a key's meaning changes
constexpr double kShortestTiming = 2e-3;  // seconds; shorter products are repeated within a timing
constexpr double kShareOfMemory = 0.8;    // of what is free, that a matrix may take

struct MonarchFlags {
  std::vector<uint64_t> sizes = {16,   32,    64,    128,   256,    1024,
                                 4096, 16384, 32768, 65536, 262144, 1048576};
  uint64_t vectors = 64, dense_up_to = 32768;
  int threads = 0, repeats = 5;
  std::string json;
};

// Numbers to multiply with, the same in each run; drawing billions would take longer than the rest.
void fill_random(float* values, size_t count, size_t terms) {
  static const std::vector<float> drawn = [] {
    Random random(1, "bench monarch");
    std::vector<float> numbers(size_t{1} << 16);
    for (float& number : numbers) number = static_cast<float>(random.uniform(-1, 1));
    return numbers;
  }();
  const float scale = 1 / std::sqrt(static_cast<float>(terms));
  for (size_t first = 0; first < count; first += drawn.size()) {
    const size_t some = std::min(drawn.size(), count - first);
    for (size_t i = 0; i < some; ++i) values[first + i] = drawn[i] * scale;
  }
}

// A matrix of points × points and what it multiplies.
class TimedProduct {
 public:
  virtual ~TimedProduct() = default;
  virtual void run(Executor& executor) = 0;
};

// By oneDNN. Threads take slices of the outputs, each packed by itself.
class DenseProduct final : public TimedProduct {
 public:
  DenseProduct(size_t points, size_t vectors, int workers)
      : points_(points), vectors_(vectors), in_(vectors * points), out_(vectors * points) {
    const size_t share = points / (2 * static_cast<size_t>(workers));
    width_ = std::clamp<size_t>(share / kTileStep * kTileStep, 64, 512);
    fill_random(in_.data(), in_.size(), 1);
    AlignedBuffer<float> weight(std::min(width_, points) * points);
    fill_random(weight.data(), weight.size(), points);
    for (size_t first = 0; first < points; first += width_) {
      PackedMatrix::Shape shape;
      shape.k = points;
      shape.n = std::min(width_, points - first);
      shape.in_stride = shape.out_stride = points;
      slices_.emplace_back(shape, weight.data(), points, nullptr);
    }
  }

  void run(Executor& executor) override {
    const size_t tiles = (vectors_ + kTileRows - 1) / kTileRows;
    executor.parallel_for(slices_.size() * tiles, [&](size_t task, int) {
      const size_t slice = task / tiles, row = task % tiles * kTileRows;
      slices_[slice].multiply(std::min(kTileRows, vectors_ - row), in_.data() + row * points_,
                              out_.data() + row * points_ + slice * width_);
    });
  }

 private:
  size_t points_, vectors_, width_;
  std::vector<PackedMatrix> slices_;
  AlignedBuffer<float> in_, out_;
};

class MonarchProduct final : public TimedProduct {
 public:
  MonarchProduct(std::span<const size_t> radices, size_t vectors)
      : matrix_(random_factors(radices)),
        vectors_(vectors),
        in_(vectors * matrix_.columns()),
        out_(vectors * matrix_.rows()) {
    fill_random(in_.data(), in_.size(), 1);
  }

  void run(Executor& executor) override {
    multiply<float>(matrix_, vectors_, in_.data(), out_.data(), executor, workspace_,
                    block_product);
  }

 private:
  static std::vector<MonarchFactor<float>> random_factors(std::span<const size_t> radices) {
    std::vector<MonarchFactor<float>> factors = zero_factors<float>(monarch_shapes(radices));
    for (MonarchFactor<float>& factor : factors) {
      fill_random(factor.weight.data(), factor.weight.size(), factor.shape.in);
    }
    return factors;
  }

  MonarchMatrix<float> matrix_;
  size_t vectors_;
  AlignedBuffer<float> in_, out_;
  ProductWorkspace<float> workspace_;
};

// One kind of matrix at one size: measured, or its time counted from its operations.
struct Cell {
  std::vector<size_t> radices;  // a dense matrix has one
  double weights = 0, operations = 0;
  std::vector<double> seconds;  // one a repeat
  std::string reason;           // why it was not measured
  double time = 0;              // the median, or what the operations take at the last rate measured

  bool measured() const { return reason.empty(); }
};

constexpr size_t kKinds = 3;
constexpr std::array<const char*, kKinds> kKindNames = {"dense", "order 2", "order 3"};

struct Row {
  size_t points;
  std::array<Cell, kKinds> cells;

  // How many times as long kind takes as the next, in time or in operations.
  double time_ratio(size_t kind) const { return cells[kind].time / cells[kind + 1].time; }
  double operation_ratio(size_t kind) const {
    return cells[kind].operations / cells[kind + 1].operations;
  }
};

// The middle timing, or the mean of the two in the middle.
double middle_of(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const size_t half = seconds.size() / 2;
  return seconds.size() % 2 == 1 ? seconds[half] : (seconds[half - 1] + seconds[half]) / 2;
}

double seconds_of(TimedProduct& product, Executor& executor, size_t times) {
  stop_if_interrupted();
  const auto start = std::chrono::steady_clock::now();
  for (size_t i = 0; i < times; ++i) product.run(executor);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return seconds.count() / static_cast<double>(times);
}

// The bytes that a matrix may take now, 0 where the system does not say.
double memory_to_use() {
  const Machine machine = describe_machine();
  uint64_t bytes = machine.available_memory;
  if (machine.memory_limit > 0) bytes = std::min(bytes, machine.memory_limit);
  return kShareOfMemory * static_cast<double>(bytes);
}

Cell count_cell(size_t points, size_t kind, const MonarchFlags& flags) {
  Cell cell;
  cell.radices = balanced_radices(points, kind + 1);
  for (const size_t radix : cell.radices) cell.weights += static_cast<double>(points * radix);
  cell.operations = 2 * cell.weights * static_cast<double>(flags.vectors);
  const double bytes =
      sizeof(float) * (cell.weights + 4.0 * static_cast<double>(points * flags.vectors));
  const double memory = memory_to_use();
  if (kind == 0 && points > flags.dense_up_to) {
    cell.reason = concat("beyond --dense-up-to ", flags.dense_up_to);
  } else if (memory > 0 && bytes > memory) {
    cell.reason = concat("takes ", bytes_text(static_cast<uint64_t>(bytes)), " of memory");
  }
  return cell;
}

std::unique_ptr<TimedProduct> make_product(const Cell& cell, size_t points,
                                           const MonarchFlags& flags, int workers) {
  if (!cell.measured()) return nullptr;
  if (cell.radices.size() == 1) {
    return std::make_unique<DenseProduct>(points, flags.vectors, workers);
  }
  return std::make_unique<MonarchProduct>(cell.radices, flags.vectors);
}

// The kinds take turns, so that a machine that others use too slows them alike. `rates`: FLOPs a
// second of each kind's largest measured size, renewed here.
Row time_row(size_t points, const MonarchFlags& flags, Executor& executor,
             std::array<double, kKinds>& rates) {
  Row row = {points, {}};
  std::array<std::unique_ptr<TimedProduct>, kKinds> products;
  std::array<size_t, kKinds> times{};
  for (size_t kind = 0; kind < kKinds; ++kind) {
    row.cells[kind] = count_cell(points, kind, flags);
    products[kind] = make_product(row.cells[kind], points, flags, executor.workers());
    if (!products[kind]) continue;
    seconds_of(*products[kind], executor, 1);  // touches memory, plans
    const double once = std::max(seconds_of(*products[kind], executor, 1), 1e-9);
    times[kind] = static_cast<size_t>(std::ceil(std::max(1.0, kShortestTiming / once)));
  }
  for (int repeat = 0; repeat < flags.repeats; ++repeat) {
    for (size_t kind = 0; kind < kKinds; ++kind) {
      if (!products[kind]) continue;
      row.cells[kind].seconds.push_back(seconds_of(*products[kind], executor, times[kind]));
    }
  }
  for (size_t kind = 0; kind < kKinds; ++kind) {
    Cell& cell = row.cells[kind];
    if (cell.measured()) {
      cell.time = middle_of(cell.seconds);
      rates[kind] = cell.operations / cell.time;
    } else if (rates[kind] > 0) {
      cell.time = cell.operations / rates[kind];
    }
  }
  return row;
}

// From which size on a kind takes longer than the next, at every larger one measured too.
struct Crossover {
  double points = 0;  // between two sizes on a straight line in logarithms
  size_t from = 0;    // the first size measured behind it; 0: none
  bool bracketed = false;
};

Crossover crossover_of(const std::vector<Row>& rows, size_t kind) {
  Crossover crossover;
  const Row* behind = nullptr;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    if (!row->cells[kind].measured() || !row->cells[kind + 1].measured()) continue;
    const double ratio = std::log(row->time_ratio(kind));
    if (ratio > 0) {
      behind = &*row;
      continue;
    }
    if (behind == nullptr) return crossover;
    const double next = std::log(behind->time_ratio(kind));
    const double low = std::log(static_cast<double>(row->points));
    const double high = std::log(static_cast<double>(behind->points));
    return {std::exp(low + (high - low) * -ratio / (next - ratio)), behind->points, true};
  }
  if (behind != nullptr) {
    crossover = {static_cast<double>(behind->points), behind->points, false};
  }
  return crossover;
}

// Where p·N^(1/p) of the next order falls below this one's; kind k is order k + 1.
double counted_crossover(size_t kind) {
  const double p = static_cast<double>(kind + 1), q = p + 1;
  return std::pow(q / p, p * q);
}

std::string formatted(const char* format, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string right(const std::string& text, size_t width) {
  return std::string(text.size() < width ? width - text.size() : 0, ' ') + text;
}

std::string table_head(const MonarchFlags& flags, int threads) {
  std::string head = concat("fp32, ", flags.vectors, " vectors at a time, ", threads, " threads, ",
                            isa_name(current_isa()), ", oneDNN ", gemm_library_version(),
                            "; milliseconds, median of ", flags.repeats, "\n");
  head += concat(right("points", 9), right("dense", 13), right("order 2", 13), right("order 3", 13),
                 "  dense / order 2    order 2 / order 3\n");
  head += concat(right("", 48), "     time   FLOPs       time   FLOPs\n");
  return head;
}

std::string table_row(const Row& row) {
  std::string line = right(std::to_string(row.points), 9);
  for (const Cell& cell : row.cells) {
    std::string text = cell.time > 0 ? formatted("%.4g", cell.time * 1e3) : "-";
    if (!cell.measured() && cell.time > 0) text.insert(0, 1, '~');
    line += right(text, 13);
  }
  for (size_t kind = 0; kind + 1 < kKinds; ++kind) {
    const bool known = row.cells[kind].time > 0 && row.cells[kind + 1].time > 0;
    line += right(known ? formatted("%.3g", row.time_ratio(kind)) : "-", kind == 0 ? 9 : 11);
    line += right(formatted("%.3g", row.operation_ratio(kind)), 8);
  }
  return line + "\n";
}

std::string crossover_line(const std::vector<Row>& rows, size_t kind) {
  const Crossover crossover = crossover_of(rows, kind);
  std::string line = concat(kKindNames[kind + 1], " beats ", kKindNames[kind], " ");
  if (crossover.from == 0) {
    line += "at none of these sizes";
  } else if (!crossover.bracketed) {
    line += concat("at every size measured, from ", crossover.from, " points on");
  } else {
    line += concat("from about ", formatted("%.0f", crossover.points), " points on");
  }
  return concat(line, " in time; from ", formatted("%.0f", std::ceil(counted_crossover(kind))),
                " on in FLOPs\n");
}

Json cell_json(const Row& row, size_t kind) {
  const Cell& cell = row.cells[kind];
  Json out = {{"points", row.points},     {"matrix", kKindNames[kind]},
              {"radices", cell.radices},  {"weights", cell.weights},
              {"flops", cell.operations}, {"measured", cell.measured()}};
  if (!cell.measured()) out["reason"] = cell.reason;
  if (cell.measured()) out["seconds"] = cell.seconds;
  if (cell.time > 0) {
    out[cell.measured() ? "median_seconds" : "estimated_seconds"] = cell.time;
    if (cell.measured()) out["gflops"] = cell.operations / cell.time / 1e9;
  }
  return out;
}

Json report(const MonarchFlags& flags, int threads, const std::vector<Row>& rows) {
  Json cells = Json::array(), crossovers = Json::array();
  for (const Row& row : rows) {
    for (size_t kind = 0; kind < kKinds; ++kind) cells.push_back(cell_json(row, kind));
  }
  for (size_t kind = 0; kind + 1 < kKinds; ++kind) {
    const Crossover crossover = crossover_of(rows, kind);
    Json entry = {{"faster", kKindNames[kind + 1]},
                  {"slower", kKindNames[kind]},
                  {"points_in_flops", counted_crossover(kind)}};
    entry["points_in_time"] = crossover.from == 0 ? Json() : Json(crossover.points);
    entry["bracketed"] = crossover.bracketed;
    crossovers.push_back(std::move(entry));
  }
  return {{"format", kFormat},
          {"program", "m2 " M2_VERSION},
          {"processor", describe_machine().processor},
          {"isa", isa_name(current_isa())},
          {"gemm_library", "oneDNN " + gemm_library_version()},
          {"dtype", "fp32"},
          {"vectors", flags.vectors},
          {"threads", threads},
          {"repeats", flags.repeats},
          {"results", std::move(cells)},
          {"crossovers", std::move(crossovers)}};
}

void bench_monarch(const MonarchFlags& flags) {
  std::optional<OutputFile> json;
  if (!flags.json.empty()) json.emplace(flags.json, OutputFile::OnFailure::kRemove);
  OutputFile output("", OutputFile::OnFailure::kRemove);
  const auto print = [&](const std::string& text) {
    output.stream() << text;
    output.flush();
  };
  ThreadPool pool(flags.threads > 0 ? flags.threads : physical_cores());
  print(table_head(flags, pool.workers()));
  std::vector<uint64_t> sizes = flags.sizes;
  std::sort(sizes.begin(), sizes.end());
  std::array<double, kKinds> rates{};
  std::vector<Row> rows;
  for (const uint64_t points : sizes) {
    rows.push_back(time_row(points, flags, pool, rates));
    print(table_row(rows.back()));
  }
  for (size_t kind = 0; kind + 1 < kKinds; ++kind) print(crossover_line(rows, kind));
  if (json) {
    json->stream() << report(flags, pool.workers(), rows).dump(2) << '\n';
    json->commit();
  }
}

}  // namespace

void add_bench_monarch(CLI::App& bench) {
  CLI::App* command =
      bench.add_subcommand("monarch", "Time dense products against Monarch products");
  const auto flags = std::make_shared<MonarchFlags>();
  command->add_option("--sizes", flags->sizes, "Points of the square matrices; k and M are 1024s")
      ->delimiter(',')
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 24))
      ->capture_default_str();
  command->add_option("--vectors", flags->vectors, "Vectors multiplied at a time, a multiple of 16")
      ->check(CLI::Range(uint64_t{16}, uint64_t{1} << 16))
      ->capture_default_str();
  command
      ->add_option("--dense-up-to", flags->dense_up_to,
                   "Larger dense products are counted, not timed")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  command->add_option("--threads", flags->threads, "Threads; 0 is one a physical core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_option("--repeats", flags->repeats, "Timings of each, after one to warm up")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--json", flags->json, "File for the figures");
  command->footer(
      "Dense products are oneDNN's. ~ marks a time that was not measured but counted: the\n"
      "product's FLOPs at the rate of the largest one that was. docs/monarch.md explains the "
      "rest.\n\n"
      "Example:\n"
      "  m2 bench monarch --sizes 4k,64k,1M --json monarch.json");
  command->callback([flags] {
    if (flags->vectors % kTileStep != 0) {
      throw usage_error(concat("--vectors ", flags->vectors, ": is no multiple of ", kTileStep));
    }
    bench_monarch(*flags);
  });
}

}  // namespace m2
