#include "torch_ops/short_conv.h"

#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <tuple>

#include "kernels/short_conv.h"
#include "torch_ops/kernel_call.h"
#include "torch_ops/operands.h"
#include "torch_ops/parallel.h"
#include "torch_ops/plain.h"

namespace m2::torch_ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;
using Gradients = std::tuple<at::Tensor, at::Tensor, at::Tensor>;  // of x, weight and bias

// Some channels of all texts, with their taps as the kernel reads them.
struct Chunk {
  Chunk(const at::Tensor& weight, int64_t index)
      : first(index * static_cast<int64_t>(kShortConvChannels)),
        channels(std::min(kShortConvChannels, static_cast<size_t>(weight.size(0) - first))) {
    const float* from = weight.const_data_ptr<float>() + first * 3;
    for (size_t c = 0; c < channels; ++c) {
      for (size_t tap = 0; tap < 3; ++tap) taps[tap * channels + c] = from[c * 3 + tap];
    }
  }

  int64_t first;
  size_t channels;
  float taps[3 * kShortConvChannels];
};

// Calls body(chunk) on libtorch's threads. A chunk takes all texts one after the other, so that its
// sums do not depend on the number of threads.
template <class Body>
void for_each_chunk(const at::Tensor& weight, const Body& body) {
  const auto size = static_cast<int64_t>(kShortConvChannels);
  at::parallel_for(0, (weight.size(0) + size - 1) / size, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(Chunk(weight, i));
  });
}

at::Tensor forward_kernel(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  at::Tensor y = at::empty(x.sizes(), x.options());
  for_each_chunk(weight, [&](const Chunk& chunk) {
    for (int64_t text = 0; text < x.size(0); ++text) {
      ShortConvText request;
      request.rows = static_cast<size_t>(x.size(1));
      request.channels = chunk.channels;
      request.x_stride = static_cast<size_t>(x.stride(1));
      request.y_stride = static_cast<size_t>(y.stride(1));
      request.x = x.const_data_ptr<float>() + text * x.stride(0) + chunk.first;
      request.taps = chunk.taps;
      request.bias = bias.const_data_ptr<float>() + chunk.first;
      request.y = y.data_ptr<float>() + text * y.stride(0) + chunk.first;
      short_conv(request);
    }
  });
  return y;
}

Gradients backward_kernel(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& dy) {
  at::Tensor dx = at::empty(x.sizes(), x.options());
  at::Tensor dweight = at::empty(weight.sizes(), weight.options());
  at::Tensor dbias = at::empty({weight.size(0)}, weight.options());
  for_each_chunk(weight, [&](const Chunk& chunk) {
    float dtaps[3 * kShortConvChannels] = {};
    float* bias = dbias.data_ptr<float>() + chunk.first;
    std::fill_n(bias, chunk.channels, 0.0f);
    for (int64_t text = 0; text < x.size(0); ++text) {
      ShortConvGradient request;
      request.rows = static_cast<size_t>(x.size(1));
      request.channels = chunk.channels;
      request.x_stride = static_cast<size_t>(x.stride(1));
      request.y_stride = static_cast<size_t>(dy.stride(1));
      request.x = x.const_data_ptr<float>() + text * x.stride(0) + chunk.first;
      request.taps = chunk.taps;
      request.dy = dy.const_data_ptr<float>() + text * dy.stride(0) + chunk.first;
      request.dx = dx.data_ptr<float>() + text * dx.stride(0) + chunk.first;
      request.dtaps = dtaps;
      request.dbias = bias;
      short_conv_gradient(request);
    }
    float* to = dweight.data_ptr<float>() + chunk.first * 3;
    for (size_t c = 0; c < chunk.channels; ++c) {
      for (size_t tap = 0; tap < 3; ++tap) to[c * 3 + tap] = dtaps[tap * chunk.channels + c];
    }
  });
  return {dx, dweight, dbias};
}

at::Tensor forward_shape(const at::Tensor& x, const at::Tensor& /*weight*/,
                         const at::Tensor& /*bias*/) {
  return shape_of(x);
}

Gradients backward_shapes(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& dy) {
  return {shape_of(x), shape_of(weight), dy.new_empty_symint({weight.sym_size(0)})};
}

class ShortConvFunction : public torch::autograd::Function<ShortConvFunction> {
 public:
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& weight,
                          const Variable& bias) {
    context->save_for_backward({x, weight});
    return call_kernel<forward_kernel>("m2::_short_conv", x, weight, bias);
  }
  static variable_list backward(AutogradContext* context, const variable_list& dy) {
    refuse_second_derivative("short_conv");
    const variable_list saved = context->get_saved_variables();
    const auto [dx, dweight, dbias] = call_kernel<backward_kernel>(
        "m2::_short_conv_backward", saved[0], saved[1], dy[0].contiguous());
    return {dx, dweight, dbias};
  }
};

}  // namespace

at::Tensor short_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  TORCH_CHECK(x.dim() == 3, "short_conv: x is (B, L, C), not ", x.sym_sizes());
  const c10::SymInt channels = x.sym_size(2);
  TORCH_CHECK(weight.sym_sizes() == c10::SymIntArrayRef({channels, 1, 3}),
              "short_conv: weight is (C, 1, 3) with C = ", channels, ", not ", weight.sym_sizes());
  TORCH_CHECK(bias.dim() == 1 && bias.sym_size(0) == channels, "short_conv: bias is (C)");
  const WithoutAutocast guard;
  const at::Tensor wide[] = {at_least_fp32(x), at_least_fp32(weight), at_least_fp32(bias)};
  if (!kernels_take(wide)) return plain::short_conv(wide[0], wide[1], wide[2]);
  return ShortConvFunction::apply(wide[0].contiguous(), wide[1].contiguous(), wide[2].contiguous());
}

TORCH_LIBRARY_FRAGMENT(m2, library) {
  library.def("short_conv(Tensor x, Tensor weight, Tensor bias) -> Tensor", short_conv);
  library.def("_short_conv(Tensor x, Tensor weight, Tensor bias) -> Tensor");
  library.def(
      "_short_conv_backward(Tensor x, Tensor weight, Tensor dy) -> (Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(m2, CPU, library) {
  library.impl("_short_conv", forward_kernel);
  library.impl("_short_conv_backward", backward_kernel);
}

TORCH_LIBRARY_IMPL(m2, Meta, library) {
  library.impl("_short_conv", forward_shape);
  library.impl("_short_conv_backward", backward_shapes);
}

}  // namespace m2::torch_ops
