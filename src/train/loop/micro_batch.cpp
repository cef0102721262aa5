#include "train/loop/micro_batch.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "train/loop/resident_memory.h"
#include "train/loop/stop_request.h"

namespace m2::train {
namespace {

constexpr double kShare = 0.85;  // of the ceiling: other programs breathe too

at::Tensor rows_of(const std::vector<int64_t>& values, const m2::Batch& batch, int64_t first,
                   int64_t rows) {
  // from_blob takes no const; nothing writes into these.
  auto* data =
      const_cast<int64_t*>(values.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  return at::from_blob(data, {batch.rows, batch.length}, at::kLong).narrow(0, first, rows);
}

}  // namespace

Batch rows_of(const m2::Batch& batch, int64_t first, int64_t rows) {
  Batch part;
  part.ids = rows_of(batch.ids, batch, first, rows);
  part.labels = rows_of(batch.labels, batch, first, rows);
  const bool has_pads = batch.tokens != batch.rows * batch.length;
  if (has_pads) part.mask = rows_of(batch.attention_mask, batch, first, rows);
  part.first_text = first;
  return part;
}

std::optional<double> accumulate_gradients(const Model& model, const m2::Batch& batch, int64_t rows,
                                           const Pass& pass) {
  const int64_t labelled = std::max<int64_t>(batch.labelled, 1);
  double sum = 0;
  for (int64_t first = 0; first < batch.rows; first += rows) {
    if (stop_signal() != 0) return std::nullopt;
    const Batch part = rows_of(batch, first, std::min(rows, batch.rows - first));
    const MaskedLoss loss = model.masked_language_model_loss(part, pass);
    loss.sum.div(labelled).backward();
    sum += loss.sum.item<double>();
  }
  return sum / static_cast<double>(labelled);
}

int64_t rows_that_fit(int64_t batch_rows, int64_t ceiling, int64_t peak_of_one,
                      int64_t peak_of_two) {
  const int64_t one_more = std::max<int64_t>(peak_of_two - peak_of_one, 1);
  const int64_t room = static_cast<int64_t>(kShare * static_cast<double>(ceiling)) - peak_of_one;
  const int64_t fitting =
      std::clamp<int64_t>(1 + std::max<int64_t>(room, 0) / one_more, 1, batch_rows);
  const int64_t passes = (batch_rows + fitting - 1) / fitting;
  return (batch_rows + passes - 1) / passes;
}

int64_t largest_micro_batch(int64_t batch_rows, int64_t ceiling,
                            const std::function<void(int64_t rows)>& trial) {
  if (batch_rows == 1) return 1;
  trial(1);  // what is allocated once for all passes
  reset_peak_memory();
  trial(1);
  const int64_t peak_of_one = peak_resident_memory();
  // Where the peak could not be counted anew it moves only when a pass takes more than all before.
  int64_t rows = 1;
  do {
    rows = std::min(2 * rows, batch_rows);
    trial(rows);
  } while (peak_resident_memory() <= peak_of_one && rows < batch_rows);
  const int64_t one_more = (peak_resident_memory() - peak_of_one) / (rows - 1);
  return rows_that_fit(batch_rows, ceiling, peak_of_one, peak_of_one + one_more);
}

}  // namespace m2::train
