#include <m2/model.h>

#include "kernels/isa.h"
#include "library/call.h"
#include "library/objects.h"
#include "library/versioned.h"
#include "models/model.h"
#include "ops/gemm/caller_threads.h"
#include "ops/operand.h"

using namespace m2;

extern "C" {

m2_status m2_model_load(const char* path, const m2_model_options* options,
                        m2_model** model) noexcept {
  return call_guarded([&] {
    check_pointer(model, "model");
    *model = nullptr;
    check_pointer(path, "path");
    const m2_model_options given = read_options(options, "m2_model_options");
    const CallerThreads caller;
    current_isa();  // a wrong M2_ISA is told before files are read
    const auto object = std::make_shared<ModelObject>();
    ModelFiles files = {path, text_of(given.config), padding_of(given.padding)};
    files.dtype = dtype_of(given.dtype);
    object->model = load_model(files);
    if (given.without_tokenizer == 0) {
      object->tokenizer = load_tokenizer(text_of(given.tokenizer), *object->model);
    }
    *model = models().add(object);
  });
}

m2_status m2_model_free(m2_model* model) noexcept {
  return call_guarded([&] { models().free(model); });
}

m2_status m2_model_get_info(const m2_model* model, m2_model_info* info) noexcept {
  return call_guarded([&] {
    const auto object = models().get(model);
    check_pointer(info, "info");
    const ModelConfig& config = object->model->config;
    m2_model_info answer{};
    answer.vector_size = static_cast<int64_t>(object->model->vector_size());
    answer.max_tokens = object->model->longest_text();
    answer.vocabulary_size = config.padded_vocab_size();
    answer.pooling = public_pooling(config.pooling);
    answer.padding = public_padding(config.padding);
    answer.normalise = config.use_normalized_embeddings ? 1 : 0;
    answer.has_tokenizer = object->tokenizer ? 1 : 0;
    answer.family = family_name(config.family);
    answer.instruction_set = isa_name(current_isa());
    answer.dtype = public_dtype(object->model->dtype);
    answer.multiplied = public_dtype(operand_type(object->model->dtype));
    write_answer(answer, *info, "m2_model_info");
  });
}

}  // extern "C"
