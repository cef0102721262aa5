# libtorch, out of the torch wheel of a Python environment. Its own package file stops at CUDA wheels
# on machines without CUDA, so the targets are made here: m2_torch is what the training rungs link.
if(DEFINED ENV{M2_TORCH_PYTHON})
  set(M2_TORCH_PYTHON $ENV{M2_TORCH_PYTHON})
endif()
set(M2_TORCH_PYTHON "${PROJECT_SOURCE_DIR}/.venv/bin/python" CACHE FILEPATH "Python that has torch")
execute_process(
  COMMAND ${M2_TORCH_PYTHON} -c "import os, importlib.util as u; print(os.path.dirname(u.find_spec('torch').origin))"
  OUTPUT_VARIABLE M2_TORCH_FOLDER OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
  RESULT_VARIABLE torch_missing)
if(torch_missing)
  message(FATAL_ERROR "${M2_TORCH_PYTHON} has no torch: run make train, or set M2_TORCH_PYTHON")
endif()

add_library(m2_torch INTERFACE)
target_include_directories(m2_torch SYSTEM INTERFACE
  ${M2_TORCH_FOLDER}/include ${M2_TORCH_FOLDER}/include/torch/csrc/api/include)
target_link_directories(m2_torch INTERFACE ${M2_TORCH_FOLDER}/lib)
target_link_libraries(m2_torch INTERFACE torch torch_cpu c10)

# at::parallel_for is a loop in a header: compiled without OpenMP it is serial. The wheel brings its
# own runtime; a second one would bring threads of its own.
file(GLOB torch_openmp ${M2_TORCH_FOLDER}/lib/libgomp*.so* ${M2_TORCH_FOLDER}.libs/libgomp*.so*)
if(NOT torch_openmp)
  message(FATAL_ERROR "${M2_TORCH_FOLDER} holds no libgomp: install a torch wheel for Linux")
endif()
list(GET torch_openmp 0 torch_openmp)
target_compile_options(m2_torch INTERFACE -fopenmp)
target_link_libraries(m2_torch INTERFACE ${torch_openmp})
