# What every file of the project is compiled with. No -march=native: SIMD is chosen at run time.
# -ffp-contract=off: a*b+c is fused only where the code says so, so that bits do not depend on the
# compiler's choice in one copy of a function.
add_library(m2_compile_options INTERFACE)
target_compile_options(m2_compile_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast -ffp-contract=off)
if(M2_WARNINGS_AS_ERRORS)
  target_compile_options(m2_compile_options INTERFACE -Werror)
endif()
# g++ 12 sees an overlap in "literal" + std::string that is not there (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(m2_compile_options INTERFACE -Wno-restrict)
endif()
target_include_directories(m2_compile_options INTERFACE ${PROJECT_SOURCE_DIR}/src)

if(M2_SANITIZE)
  add_compile_options(-fsanitize=${M2_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${M2_SANITIZE})
endif()
