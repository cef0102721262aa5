#pragma once

#include "train/config/section.h"
#include "train/config/train_config.h"

namespace m2 {

// The section train_loader (`training`) or eval_loader, whose defaults are the folder `data_local`,
// empty where the file names none, and `mlm_probability`. Throws Error(kInput).
LoaderConfig read_loader(Section loader, const std::string& data_local, bool training,
                         double mlm_probability);

}  // namespace m2
