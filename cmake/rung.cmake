# m2_rung(NAME SOURCES file... [USES rung...] [LIBRARIES target...])
# One folder of src/ as one static library m2_NAME. USES names the rungs below it, LIBRARIES the
# outside libraries that only this rung may see.
function(m2_rung name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LIBRARIES" ${ARGN})
  add_library(m2_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(m2_${name} PRIVATE m2_compile_options)
  target_include_directories(m2_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  foreach(rung IN LISTS ARG_USES)
    target_link_libraries(m2_${name} PUBLIC m2_${rung})
  endforeach()
  target_link_libraries(m2_${name} PRIVATE ${ARG_LIBRARIES})
endfunction()

# m2_test(NAME SOURCES file... USES rung... [LIBRARIES target...])
# One GoogleTest program tests/…/NAME, run by ctest.
function(m2_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LIBRARIES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE m2_compile_options GTest::gmock GTest::gtest_main ${ARG_LIBRARIES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE
    M2_SOURCE_DIR="${PROJECT_SOURCE_DIR}" M2_BINARY_DIR="${PROJECT_BINARY_DIR}")
  foreach(rung IN LISTS ARG_USES)
    target_link_libraries(${name} PRIVATE m2_${rung})
  endforeach()
  add_test(NAME ${name} COMMAND ${name})
endfunction()
