// A trained model as a folder that `m2 embed` and `m2 fill-mask` take.
#pragma once

#include <string>
#include <vector>

#include "train/models/model.h"

namespace m2::train {

// Writes FOLDER/model.safetensors (fp32, the names of the parameter list, tied ones once), copies
// of `vocabulary_files` and, last, FOLDER/config.json with the padding contract; a model without a
// pooler states mean pooling. The folder is made, each file appears when it is whole, and what was
// there under its name is replaced. Error(kFailed) names what cannot be written.
void save_model_folder(const Model& model, const std::string& folder,
                       const std::vector<std::string>& vocabulary_files);

}  // namespace m2::train
