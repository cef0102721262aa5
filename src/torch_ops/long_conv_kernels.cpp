#include "torch_ops/long_conv_kernels.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include "core/aligned_buffer.h"
#include "kernels/long_conv.h"
#include "kernels/long_conv_pair.h"
#include "torch_ops/channel_rows.h"
#include "torch_ops/parallel.h"

namespace m2::torch_ops {
namespace {

using ConstRows = GroupRows<const float>;
using Rows = GroupRows<float>;

std::shared_ptr<const FftPlan> plan_for(size_t rows) {
  return fft_plan(transform_size(2 * rows));
}

// What all groups of channels of a call share.
struct Shape {
  explicit Shape(const LongConvInputs& inputs)
      : texts(inputs.x1.size(0)),
        rows(static_cast<size_t>(inputs.x1.size(1))),
        width(static_cast<size_t>(inputs.x1.size(2))),
        plan(plan_for(rows)),
        lengths(inputs.lengths.defined() ? inputs.lengths.const_data_ptr<int64_t>() : nullptr) {}

  size_t length(int64_t text) const {
    return lengths == nullptr ? rows : static_cast<size_t>(lengths[text]);
  }
  size_t blocks_of(size_t group) const {
    return std::min(kGroupBlocks, channel_blocks(width) - group * kGroupBlocks);
  }

  int64_t texts;
  size_t rows, width;
  std::shared_ptr<const FftPlan> plan;
  const int64_t* lengths;
};

// A thread's buffers, kept from call to call: mapping them anew costs more than the work in them.
class Scratch {
 public:
  static Scratch& of_thread(const Shape& shape) {
    thread_local Scratch scratch;
    scratch.resize(shape);
    return scratch;
  }

  AlignedBuffer<float> kernel1, kernel2, work;
  AlignedBuffer<float> sums;  // a pair of spectra for each block of the group
  GroupBlocks x1, x2, y1, y2;

 private:
  void resize(const Shape& shape) {
    kernel1.resize(shape.plan->points * kChannelBlock);
    kernel2.resize(shape.plan->points * kChannelBlock);
    work.resize(2 * shape.plan->workspace_floats());
    sums.resize(kGroupBlocks * shape.plan->spectrum_floats());
    // A cache line pair between buffers, or rows of all four would fall into one set of the cache.
    const size_t floats = kGroupBlocks * shape.rows * kChannelBlock + 2 * kChannelBlock;
    if (rows_.size() != 4 * floats) {
      rows_.resize(4 * floats);
      std::fill_n(rows_.data(), rows_.size(),
                  0.0f);  // lanes that no channel fills are computed, too
    }
    float* next = rows_.data();
    for (GroupBlocks* blocks : {&x1, &x2, &y1, &y2}) {
      *blocks = {next, shape.rows};
      next += floats;
    }
  }

  AlignedBuffer<float> rows_;
};

// A filter's taps, (L, H), as one channel block of one text.
template <class Float>
GroupRows<Float> tap_rows(const at::Tensor& taps, size_t block) {
  const auto first = static_cast<int64_t>(block * kChannelBlock);
  return {static_cast<Float*>(taps.data_ptr()) + first, static_cast<size_t>(taps.stride(0)),
          std::min(kChannelBlock, static_cast<size_t>(taps.size(1) - first))};
}

// One channel block of a filter as a circular kernel of N points.
void fill_kernel(const LongFilter& filter, const Shape& shape, size_t block, float* kernel) {
  const size_t points = shape.plan->points;
  std::fill_n(kernel, points * kChannelBlock, 0.0f);
  const ConstRows taps = tap_rows<const float>(filter.taps, block);
  gather(taps, shape.rows, {kernel, points});
  const float* bias = filter.bias.const_data_ptr<float>() + block * kChannelBlock;
  for (size_t c = 0; c < taps.channels; ++c) kernel[c] += bias[c];
  if (!filter.reverse_taps.defined()) return;
  const ConstRows reverse = tap_rows<const float>(filter.reverse_taps, block);
  for (size_t t = 0; t < shape.rows; ++t) {
    std::copy_n(reverse.row(t), reverse.channels, kernel + (points - 1 - t) * kChannelBlock);
  }
}

// Its mirror image: a circular kernel's gradient to those of the taps and the bias.
void drain_kernel(const float* kernel, const Shape& shape, size_t block,
                  const LongFilter& gradient) {
  const size_t points = shape.plan->points;
  const Rows taps = tap_rows<float>(gradient.taps, block);
  for (size_t t = 0; t < shape.rows; ++t) {
    std::copy_n(kernel + t * kChannelBlock, taps.channels, taps.row(t));
  }
  std::copy_n(kernel, taps.channels, gradient.bias.data_ptr<float>() + block * kChannelBlock);
  if (!gradient.reverse_taps.defined()) return;
  const Rows reverse = tap_rows<float>(gradient.reverse_taps, block);
  for (size_t t = 0; t < shape.rows; ++t) {
    std::copy_n(kernel + (points - 1 - t) * kChannelBlock, reverse.channels, reverse.row(t));
  }
}

// y[t] = y1[t]·gate[t] + y2[t]
void scatter_gated(const GroupBlocks& y1, const GroupBlocks& y2, const ConstRows& gate, size_t rows,
                   const Rows& to) {
  for (size_t t = 0; t < rows; ++t) {
    prefetch_row(gate, t);
    prefetch_row(to, t, true);
    const float* by = gate.row(t);
    float* row = to.row(t);
    for_each_channel(to.channels, y1.capacity, t,
                     [&](size_t c, size_t at) { row[c] = y1.first[at] * by[c] + y2.first[at]; });
  }
}

void make_spectra(const LongConvInputs& inputs, const Shape& shape, size_t group, float* spectra,
                  Scratch& scratch) {
  const bool residual = inputs.u.defined();
  for (size_t b = 0; b < shape.blocks_of(group); ++b) {
    const size_t block = group * kGroupBlocks + b;
    fill_kernel(inputs.gated, shape, block, scratch.kernel1.data());
    if (residual) fill_kernel(inputs.residual_filter, shape, block, scratch.kernel2.data());
    long_conv_spectrum({shape.plan.get(), scratch.kernel1.data(),
                        residual ? scratch.kernel2.data() : nullptr,
                        spectra + b * shape.plan->spectrum_floats(), scratch.work.data()});
  }
}

void forward_group(const LongConvInputs& inputs, const Shape& shape, size_t group, float* spectra,
                   const at::Tensor& y, const at::Tensor& gated) {
  Scratch& scratch = Scratch::of_thread(shape);
  const bool residual = inputs.u.defined();
  make_spectra(inputs, shape, group, spectra, scratch);
  for (int64_t text = 0; text < shape.texts; ++text) {
    const auto in = [&](const at::Tensor& tensor) {
      return group_rows<const float>(tensor, text, group);
    };
    const size_t length = shape.length(text);
    gather_product(in(inputs.x1), in(inputs.v), length, scratch.x1);
    if (residual) gather(in(inputs.u), length, scratch.x2);
    for (size_t b = 0; b < shape.blocks_of(group); ++b) {
      long_conv_pair({shape.plan.get(), length, scratch.x1.block(b),
                      residual ? scratch.x2.block(b) : nullptr,
                      spectra + b * shape.plan->spectrum_floats(), scratch.y1.block(b),
                      residual ? scratch.y2.block(b) : nullptr, scratch.work.data()});
    }
    const Rows out = group_rows<float>(y, text, group);
    if (residual) {
      scatter_gated(scratch.y1, scratch.y2, in(inputs.x2), length, out);
    } else {
      scatter_product(scratch.y1, in(inputs.x2), length, out);
    }
    zero_behind(out, length, shape.rows);
    if (gated.defined()) scatter(scratch.y1, length, group_rows<float>(gated, text, group));
  }
}

// One text's gradients of both signals, in place of those of both outputs in y1 and y2; adds to the
// sums of the filters' gradients.
void backward_blocks(const Shape& shape, size_t group, size_t length, bool residual,
                     const float* spectra, Scratch& scratch) {
  for (size_t b = 0; b < shape.blocks_of(group); ++b) {
    LongConvPairGradient pair;
    pair.plan = shape.plan.get();
    pair.length = length;
    pair.x1 = scratch.x1.block(b);
    pair.dy1 = pair.dx1 = scratch.y1.block(b);
    if (residual) {
      pair.x2 = scratch.x2.block(b);
      pair.dy2 = pair.dx2 = scratch.y2.block(b);
    }
    pair.spectrum = spectra + b * shape.plan->spectrum_floats();
    pair.spectrum_gradient = scratch.sums.data() + b * shape.plan->spectrum_floats();
    pair.work = scratch.work.data();
    long_conv_pair_gradient(pair);
  }
}

// y1 = dy ⊙ x2 and y2 = dy, the gradients of both convolutions' outputs; dx2 = dy ⊙ gated.
void enter_gate(const ConstRows& dy, const ConstRows& x2, const ConstRows& gated, size_t rows,
                Scratch& scratch, const Rows& dx2) {
  for (size_t t = 0; t < rows; ++t) {
    for (const ConstRows* ahead : {&dy, &x2, &gated}) prefetch_row(*ahead, t);
    prefetch_row(dx2, t, true);
    const float *upper = dy.row(t), *gate = x2.row(t), *before = gated.row(t);
    float* to = dx2.row(t);
    for_each_channel(dy.channels, scratch.y1.capacity, t, [&](size_t c, size_t at) {
      scratch.y1.first[at] = upper[c] * gate[c];
      scratch.y2.first[at] = upper[c];
      to[c] = upper[c] * before[c];
    });
  }
}

// dx1 = product ⊙ v and dv = product ⊙ x1, of the gradient of x1 ⊙ v.
void leave_product(const GroupBlocks& product, const ConstRows& x1, const ConstRows& v, size_t rows,
                   const Rows& dx1, const Rows& dv) {
  for (size_t t = 0; t < rows; ++t) {
    for (const ConstRows* ahead : {&x1, &v}) prefetch_row(*ahead, t);
    for (const Rows* ahead : {&dx1, &dv}) prefetch_row(*ahead, t, true);
    const float *left = x1.row(t), *right = v.row(t);
    float *to_left = dx1.row(t), *to_right = dv.row(t);
    for_each_channel(x1.channels, product.capacity, t, [&](size_t c, size_t at) {
      to_left[c] = product.first[at] * right[c];
      to_right[c] = product.first[at] * left[c];
    });
  }
}

// The gradients of one text's x1, x2, v and u.
void backward_text(const LongConvInputs& inputs, const LongConvKept& kept, const at::Tensor& dy,
                   const Shape& shape, size_t group, int64_t text, const float* spectra,
                   Scratch& scratch, const LongConvGradients& gradients) {
  const auto in = [&](const at::Tensor& tensor) {
    return group_rows<const float>(tensor, text, group);
  };
  const auto out = [&](const at::Tensor& tensor) { return group_rows<float>(tensor, text, group); };
  const size_t length = shape.length(text);
  const bool residual = inputs.u.defined();
  gather_product(in(inputs.x1), in(inputs.v), length, scratch.x1);
  enter_gate(in(dy), in(inputs.x2), in(kept.gated), length, scratch, out(gradients.x2));
  if (residual) gather(in(inputs.u), length, scratch.x2);
  backward_blocks(shape, group, length, residual, spectra, scratch);
  leave_product(scratch.y1, in(inputs.x1), in(inputs.v), length, out(gradients.x1),
                out(gradients.v));
  if (residual) scatter(scratch.y2, length, out(gradients.u));
  for (const at::Tensor& tensor : {gradients.x1, gradients.x2, gradients.v, gradients.u}) {
    if (tensor.defined()) zero_behind(out(tensor), length, shape.rows);
  }
}

void backward_group(const LongConvInputs& inputs, const LongConvKept& kept, const at::Tensor& dy,
                    const Shape& shape, size_t group, const LongConvGradients& gradients) {
  Scratch& scratch = Scratch::of_thread(shape);
  const size_t floats = shape.plan->spectrum_floats();
  const float* spectra = kept.spectra.const_data_ptr<float>() + group * kGroupBlocks * floats;
  std::fill_n(scratch.sums.data(), scratch.sums.size(), 0.0f);
  for (int64_t text = 0; text < shape.texts; ++text) {
    backward_text(inputs, kept, dy, shape, group, text, spectra, scratch, gradients);
  }
  const bool residual = inputs.u.defined();
  for (size_t b = 0; b < shape.blocks_of(group); ++b) {
    const size_t block = group * kGroupBlocks + b;
    long_conv_kernel_gradient({shape.plan.get(), scratch.sums.data() + b * floats,
                               scratch.kernel1.data(), residual ? scratch.kernel2.data() : nullptr,
                               scratch.work.data()});
    drain_kernel(scratch.kernel1.data(), shape, block, gradients.gated);
    if (residual) drain_kernel(scratch.kernel2.data(), shape, block, gradients.residual_filter);
  }
}

// Calls body(group) for each group of channels, on libtorch's threads.
template <class Body>
void for_each_group(const Shape& shape, const Body& body) {
  at::parallel_for(0, static_cast<int64_t>(channel_groups(shape.width)), 1,
                   [&](int64_t begin, int64_t end) {
                     for (int64_t group = begin; group < end; ++group) {
                       body(static_cast<size_t>(group));
                     }
                   });
}

LongFilter zeros_like(const LongFilter& filter) {
  const auto zeros = [](const at::Tensor& tensor) {
    return tensor.defined() ? at::zeros(tensor.sizes(), tensor.options()) : at::Tensor();
  };
  return {zeros(filter.taps), zeros(filter.reverse_taps), zeros(filter.bias)};
}

}  // namespace

int64_t spectra_floats(int64_t rows, int64_t width) {
  return static_cast<int64_t>(channel_blocks(static_cast<size_t>(width)) *
                              plan_for(static_cast<size_t>(rows))->spectrum_floats());
}

at::Tensor long_conv_forward(const LongConvInputs& inputs, LongConvKept* keep) {
  const Shape shape(inputs);
  const at::Tensor y = at::empty(inputs.x1.sizes(), inputs.x1.options());
  const size_t floats = shape.plan->spectrum_floats();
  at::Tensor gated;
  at::Tensor spectra;
  if (keep != nullptr) {
    gated = at::empty(inputs.x1.sizes(), inputs.x1.options());
    spectra =
        at::empty({spectra_floats(inputs.x1.size(1), inputs.x1.size(2))}, inputs.x1.options());
    *keep = {gated, spectra};
  }
  for_each_group(shape, [&](size_t group) {
    float* own = keep != nullptr ? spectra.data_ptr<float>() + group * kGroupBlocks * floats
                                 : Scratch::of_thread(shape).sums.data();
    forward_group(inputs, shape, group, own, y, gated);
  });
  return y;
}

LongConvGradients long_conv_backward(const LongConvInputs& inputs, const LongConvKept& kept,
                                     const at::Tensor& dy) {
  const Shape shape(inputs);
  const auto like = [&] { return at::empty(inputs.x1.sizes(), inputs.x1.options()); };
  const LongConvGradients gradients = {like(),
                                       like(),
                                       like(),
                                       inputs.u.defined() ? like() : at::Tensor(),
                                       zeros_like(inputs.gated),
                                       zeros_like(inputs.residual_filter)};
  for_each_group(shape,
                 [&](size_t group) { backward_group(inputs, kept, dy, shape, group, gradients); });
  return gradients;
}

}  // namespace m2::torch_ops
