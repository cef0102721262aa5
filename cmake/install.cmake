# What `cmake --install` puts under a prefix: the library, its headers, the files by which
# find_package and pkg-config find it, and the program. The tree may be moved afterwards.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS m2_library EXPORT m2-targets)
install(DIRECTORY include/m2 DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(M2_BUILD_PROGRAM)
  install(TARGETS m2)
endif()
if(M2_BUILD_TRAINING)
  # m2-train beside m2, which hands over to it; torch stays where it is.
  set_target_properties(m2-train m2_torch_ops PROPERTIES
    INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};${M2_TORCH_FOLDER}/lib")
  install(TARGETS m2-train m2_torch_ops)
endif()

set(M2_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/m2)
install(EXPORT m2-targets NAMESPACE m2:: DESTINATION ${M2_PACKAGE_DIR})
configure_package_config_file(cmake/m2-config.cmake.in ${PROJECT_BINARY_DIR}/m2-config.cmake
  INSTALL_DESTINATION ${M2_PACKAGE_DIR})
# Below version 1 a minor version may change the ABI.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/m2-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/m2-config.cmake ${PROJECT_BINARY_DIR}/m2-config-version.cmake
  DESTINATION ${M2_PACKAGE_DIR})

file(RELATIVE_PATH M2_PC_UP "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" M2_PC_UP "${M2_PC_UP}")
configure_file(cmake/m2.pc.in ${PROJECT_BINARY_DIR}/m2.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/m2.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
