#include "train/models/dropout.h"

#include "core/random.h"
#include "core/text.h"

namespace m2::train {

torch_ops::DropoutCounter dropout_counter(const at::Tensor& x, double probability,
                                          DropoutPlace place, const LayerInput& input) {
  if (!input.pass.training || probability == 0 || x.numel() == 0) return {};
  Random stream(input.pass.seed, concat("dropout ", input.pass.step, " ", input.layer, " ",
                                        static_cast<int>(place)));
  const int64_t rows_of_a_text = x.numel() / (x.size(0) * x.size(-1));
  return {probability, static_cast<int64_t>(stream.bits()), input.first_text * rows_of_a_text};
}

at::Tensor dropout(const at::Tensor& x, double probability, DropoutPlace place,
                   const LayerInput& input) {
  return torch_ops::counter_dropout(x, dropout_counter(x, probability, place, input));
}

}  // namespace m2::train
