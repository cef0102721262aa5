#include "torch_ops/long_conv_kernels.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include "core/aligned_buffer.h"
#include "kernels/long_conv.h"
#include "kernels/long_conv_pair.h"
#include "torch_ops/channel_rows.h"

namespace m2::torch_ops {
namespace {

using ConstRows = ChannelRows<const float>;
using Rows = ChannelRows<float>;

// What all channel blocks of a call share.
struct Shape {
  explicit Shape(const LongConvInputs& inputs)
      : texts(inputs.x1.size(0)),
        rows(static_cast<size_t>(inputs.x1.size(1))),
        width(inputs.x1.size(2)),
        blocks(static_cast<int64_t>(channel_blocks(static_cast<size_t>(width)))),
        plan(fft_plan(transform_size(2 * rows))),
        lengths(inputs.lengths.defined() ? inputs.lengths.const_data_ptr<int64_t>() : nullptr) {}

  size_t length(int64_t text) const {
    return lengths == nullptr ? rows : static_cast<size_t>(lengths[text]);
  }

  int64_t texts;
  size_t rows;
  int64_t width, blocks;
  std::shared_ptr<const FftPlan> plan;
  const int64_t* lengths;
};

// A thread's buffers, kept from call to call: mapping them anew costs more than the work in them.
struct Scratch {
  AlignedBuffer<float> kernel1, kernel2, work, x1, x2, y1, y2, sums;

  explicit Scratch(const Shape& shape) {
    for (auto* kernel : {&kernel1, &kernel2}) kernel->resize(shape.plan->points * kChannelBlock);
    for (auto* rows : {&x1, &x2, &y1, &y2}) rows->resize(shape.rows * kChannelBlock);
    work.resize(2 * shape.plan->workspace_floats());
    sums.resize(shape.plan->spectrum_floats());
  }
};

Scratch& scratch_of_thread(const Shape& shape) {
  thread_local std::unique_ptr<Scratch> kept;
  thread_local size_t kept_points = 0;
  thread_local size_t kept_rows = 0;
  if (kept == nullptr || kept_points != shape.plan->points || kept_rows < shape.rows) {
    kept = std::make_unique<Scratch>(shape);
    kept_points = shape.plan->points;
    kept_rows = shape.rows;
  }
  return *kept;
}

// (L, H) as one text of (1, L, H).
ConstRows tap_rows(const at::Tensor& taps, size_t block) {
  return channel_rows<const float>(taps.unsqueeze(0), 0, block);
}

// One channel block of a filter as a circular kernel of N points.
void fill_kernel(const LongFilter& filter, const Shape& shape, size_t block, float* kernel) {
  const size_t points = shape.plan->points;
  std::fill_n(kernel, points * kChannelBlock, 0.0f);
  const ConstRows taps = tap_rows(filter.taps, block);
  gather(taps, shape.rows, kernel);
  const float* bias = filter.bias.const_data_ptr<float>() + block * kChannelBlock;
  for (size_t c = 0; c < taps.channels; ++c) kernel[c] += bias[c];
  if (!filter.reverse_taps.defined()) return;
  const ConstRows reverse = tap_rows(filter.reverse_taps, block);
  for (size_t t = 0; t < shape.rows; ++t) {
    std::copy_n(reverse.first + t * reverse.stride, reverse.channels,
                kernel + (points - 1 - t) * kChannelBlock);
  }
}

// Its mirror image: a circular kernel's gradient to those of the taps, from 0 to rows.
void drain_kernel(const float* kernel, const Shape& shape, size_t block, LongFilter& gradient) {
  const size_t points = shape.plan->points;
  const Rows taps = channel_rows<float>(gradient.taps.unsqueeze(0), 0, block);
  scatter(kernel, shape.rows, taps);
  std::copy_n(kernel, taps.channels, gradient.bias.data_ptr<float>() + block * kChannelBlock);
  if (!gradient.reverse_taps.defined()) return;
  const Rows reverse = channel_rows<float>(gradient.reverse_taps.unsqueeze(0), 0, block);
  for (size_t t = 0; t < shape.rows; ++t) {
    std::copy_n(kernel + (points - 1 - t) * kChannelBlock, reverse.channels,
                reverse.first + t * reverse.stride);
  }
}

void zero_behind(const Rows& rows, size_t length, size_t all) {
  for (size_t t = length; t < all; ++t)
    std::fill_n(rows.first + t * rows.stride, rows.channels, 0.0f);
}

// y[t] = y1[t]·gate[t] + y2[t]
void scatter_gated(const float* y1, const float* y2, const ConstRows& gate, size_t rows,
                   const Rows& to) {
  for (size_t t = 0; t < rows; ++t, y1 += kChannelBlock, y2 += kChannelBlock) {
    const float* by = gate.first + t * gate.stride;
    float* row = to.first + t * to.stride;
    for (size_t c = 0; c < to.channels; ++c) row[c] = y1[c] * by[c] + y2[c];
  }
}

void forward_block(const LongConvInputs& inputs, const Shape& shape, size_t block, float* spectrum,
                   const at::Tensor& y, const at::Tensor& gated) {
  Scratch& scratch = scratch_of_thread(shape);
  const bool residual = inputs.u.defined();
  fill_kernel(inputs.gated, shape, block, scratch.kernel1.data());
  if (residual) fill_kernel(inputs.residual_filter, shape, block, scratch.kernel2.data());
  long_conv_spectrum({shape.plan.get(), scratch.kernel1.data(),
                      residual ? scratch.kernel2.data() : nullptr, spectrum, scratch.work.data()});
  for (int64_t text = 0; text < shape.texts; ++text) {
    const size_t length = shape.length(text);
    const Rows out = channel_rows<float>(y, text, block);
    gather_product(channel_rows<const float>(inputs.x1, text, block),
                   channel_rows<const float>(inputs.v, text, block), length, scratch.x1.data());
    if (residual) {
      gather(channel_rows<const float>(inputs.u, text, block), length, scratch.x2.data());
    }
    long_conv_pair({shape.plan.get(), length, scratch.x1.data(),
                    residual ? scratch.x2.data() : nullptr, spectrum, scratch.y1.data(),
                    residual ? scratch.y2.data() : nullptr, scratch.work.data()});
    const ConstRows gate = channel_rows<const float>(inputs.x2, text, block);
    if (residual) {
      scatter_gated(scratch.y1.data(), scratch.y2.data(), gate, length, out);
    } else {
      scatter_product(scratch.y1.data(), gate, length, out);
    }
    zero_behind(out, length, shape.rows);
    if (gated.defined()) {
      scatter(scratch.y1.data(), length, channel_rows<float>(gated, text, block));
    }
  }
}

// The gradients of one text's x1, x2, v and u, and what it adds to those of the filters.
void backward_text(const LongConvInputs& inputs, const LongConvKept& kept, const at::Tensor& dy,
                   const Shape& shape, size_t block, int64_t text, Scratch& scratch,
                   const LongConvGradients& gradients) {
  const auto in = [&](const at::Tensor& tensor) {
    return channel_rows<const float>(tensor, text, block);
  };
  const auto out = [&](const at::Tensor& tensor) {
    return channel_rows<float>(tensor, text, block);
  };
  const size_t length = shape.length(text);
  const bool residual = inputs.u.defined();
  gather_product(in(inputs.x1), in(inputs.v), length, scratch.x1.data());
  gather_product(in(dy), in(inputs.x2), length, scratch.y1.data());
  gather(in(dy), length, scratch.y2.data());
  scatter_product(scratch.y2.data(), in(kept.gated), length, out(gradients.x2));
  if (residual) gather(in(inputs.u), length, scratch.x2.data());
  LongConvPairGradient pair;
  pair.plan = shape.plan.get();
  pair.length = length;
  pair.x1 = scratch.x1.data();
  pair.dy1 = pair.dx1 = scratch.y1.data();
  if (residual) {
    pair.x2 = scratch.x2.data();
    pair.dy2 = pair.dx2 = scratch.y2.data();
  }
  pair.spectrum =
      kept.spectrum.const_data_ptr<float>() + static_cast<int64_t>(block) * kept.spectrum.size(1);
  pair.spectrum_gradient = scratch.sums.data();
  pair.work = scratch.work.data();
  long_conv_pair_gradient(pair);
  scatter_product(scratch.y1.data(), in(inputs.v), length, out(gradients.x1));
  scatter_product(scratch.y1.data(), in(inputs.x1), length, out(gradients.v));
  if (residual) scatter(scratch.y2.data(), length, out(gradients.u));
  for (const at::Tensor& tensor : {gradients.x1, gradients.x2, gradients.v, gradients.u}) {
    if (tensor.defined()) zero_behind(out(tensor), length, shape.rows);
  }
}

void backward_block(const LongConvInputs& inputs, const LongConvKept& kept, const at::Tensor& dy,
                    const Shape& shape, size_t block, LongConvGradients& gradients) {
  Scratch& scratch = scratch_of_thread(shape);
  std::fill_n(scratch.sums.data(), scratch.sums.size(), 0.0f);
  for (int64_t text = 0; text < shape.texts; ++text) {
    backward_text(inputs, kept, dy, shape, block, text, scratch, gradients);
  }
  const bool residual = inputs.u.defined();
  long_conv_kernel_gradient({shape.plan.get(), scratch.sums.data(), scratch.kernel1.data(),
                             residual ? scratch.kernel2.data() : nullptr, scratch.work.data()});
  drain_kernel(scratch.kernel1.data(), shape, block, gradients.gated);
  if (residual) drain_kernel(scratch.kernel2.data(), shape, block, gradients.residual_filter);
}

LongFilter zeros_like(const LongFilter& filter) {
  const auto zeros = [](const at::Tensor& tensor) {
    return tensor.defined() ? at::zeros(tensor.sizes(), tensor.options()) : at::Tensor();
  };
  return {zeros(filter.taps), zeros(filter.reverse_taps), zeros(filter.bias)};
}

}  // namespace

at::Tensor long_conv_forward(const LongConvInputs& inputs, LongConvKept* keep) {
  const Shape shape(inputs);
  const at::Tensor y = at::empty(inputs.x1.sizes(), inputs.x1.options());
  const auto floats = static_cast<int64_t>(shape.plan->spectrum_floats());
  const at::Tensor spectrum =
      at::empty({keep != nullptr ? shape.blocks : 0, floats}, inputs.x1.options());
  at::Tensor gated;
  if (keep != nullptr) gated = at::empty(inputs.x1.sizes(), inputs.x1.options());
  at::parallel_for(0, shape.blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      float* own = keep != nullptr ? spectrum.data_ptr<float>() + block * floats
                                   : scratch_of_thread(shape).sums.data();
      forward_block(inputs, shape, static_cast<size_t>(block), own, y, gated);
    }
  });
  if (keep != nullptr) *keep = {gated, spectrum};
  return y;
}

LongConvGradients long_conv_backward(const LongConvInputs& inputs, const LongConvKept& kept,
                                     const at::Tensor& dy) {
  const Shape shape(inputs);
  const auto like = [&] { return at::empty(inputs.x1.sizes(), inputs.x1.options()); };
  LongConvGradients gradients = {like(),
                                 like(),
                                 like(),
                                 inputs.u.defined() ? like() : at::Tensor(),
                                 zeros_like(inputs.gated),
                                 zeros_like(inputs.residual_filter)};
  at::parallel_for(0, shape.blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      backward_block(inputs, kept, dy, shape, static_cast<size_t>(block), gradients);
    }
  });
  return gradients;
}

}  // namespace m2::torch_ops
