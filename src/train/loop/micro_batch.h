// Batches cut into what fits into memory.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "data/batch.h"
#include "train/models/model.h"

namespace m2::train {

// Rows [first, first + rows) of a batch as a model takes them. The tensors share the batch's
// memory.
Batch rows_of(const m2::Batch& batch, int64_t first, int64_t rows);

// Adds to the model's gradients that of the batch's loss, its mean over the labelled tokens of all
// rows, in passes of at most `rows` rows: each adds its summed loss over the labelled count of the
// whole batch. Returns the loss; none where a stop was asked for meanwhile, the gradients being
// part of them then.
std::optional<double> accumulate_gradients(const Model& model, const m2::Batch& batch, int64_t rows,
                                           const Pass& pass);

// The largest number of rows, at most `batch_rows`, for which a forward and backward pass stays
// within kShare of `ceiling` bytes of resident memory, as trials tell: a pass takes a part that
// is constant and a part that grows with the rows. `trial` runs a pass of so many rows. Then as
// few as go with the same number of passes a batch: 32 rows of which 20 fit are 2 times 16.
int64_t largest_micro_batch(int64_t batch_rows, int64_t ceiling,
                            const std::function<void(int64_t rows)>& trial);

// The same from the peaks in bytes that passes of one row and of two had.
int64_t rows_that_fit(int64_t batch_rows, int64_t ceiling, int64_t peak_of_one,
                      int64_t peak_of_two);

}  // namespace m2::train
