#include "layers/workspace.h"

namespace m2 {

size_t Workspace::bytes() const {
  size_t total = projections.bytes();
  for (const WorkerScratch& worker : workers) {
    for (const auto* buffer : {&worker.input, &worker.projection, &worker.hidden, &worker.gated,
                               &worker.output, &worker.transform}) {
      total += buffer->capacity_bytes();
    }
  }
  return total;
}

}  // namespace m2
