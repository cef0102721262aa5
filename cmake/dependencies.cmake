# Outside libraries, all from the distribution. Only the rung that lists one may include it.
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
if(M2_BUILD_PROGRAM)
  find_package(CLI11 REQUIRED)
  find_package(CURL 7.85 REQUIRED)
  find_package(OpenSSL REQUIRED COMPONENTS Crypto)
  find_package(spdlog REQUIRED)
endif()
if(M2_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()

# yaml-cpp 0.7 exports a bare name.
add_library(m2_yaml INTERFACE)
target_link_libraries(m2_yaml INTERFACE yaml-cpp)

find_path(HWY_INCLUDE_DIR hwy/highway.h REQUIRED)
find_library(HWY_LIBRARY hwy REQUIRED)
add_library(m2_hwy INTERFACE)
target_include_directories(m2_hwy SYSTEM INTERFACE ${HWY_INCLUDE_DIR})
target_link_libraries(m2_hwy INTERFACE ${HWY_LIBRARY})

# find_package(dnnl) of this version stops at a missing OpenCL package file.
find_path(DNNL_INCLUDE_DIR dnnl.hpp REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
add_library(m2_dnnl INTERFACE)
target_include_directories(m2_dnnl SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
target_link_libraries(m2_dnnl INTERFACE ${DNNL_LIBRARY})

# Headers alone; Beast and Asio need no Boost library.
if(M2_BUILD_PROGRAM)
  find_path(BEAST_INCLUDE_DIR boost/beast.hpp REQUIRED)
  add_library(m2_beast INTERFACE)
  target_include_directories(m2_beast SYSTEM INTERFACE ${BEAST_INCLUDE_DIR})
  target_compile_definitions(m2_beast INTERFACE BOOST_ASIO_NO_DEPRECATED)
  # Under sanitizers g++ 12 sees uninitialized values that are not there.
  if(M2_SANITIZE)
    target_compile_options(m2_beast INTERFACE -Wno-maybe-uninitialized)
  endif()
  # The thread sanitizer knows no fences; Asio's are of use only where it has no locks.
  if(M2_SANITIZE MATCHES thread)
    target_compile_definitions(m2_beast INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
endif()
