# Install rules and the package files for find_package(headwise [COMPONENTS text compiled]).
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/headwise")

install(DIRECTORY include/headwise DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
install(TARGETS headwise EXPORT headwiseTargets)
install(EXPORT headwiseTargets NAMESPACE headwise:: DESTINATION "${package_dir}")
if(TARGET headwise_text)
  install(TARGETS headwise_text EXPORT headwiseTextTargets)
  install(EXPORT headwiseTextTargets NAMESPACE headwise:: DESTINATION "${package_dir}")
  install(FILES cmake/FindPCRE2.cmake cmake/FindUtf8proc.cmake DESTINATION "${package_dir}")
endif()
if(TARGET headwise_compiled AND HEADWISE_BUILD_COMPILED)
  install(TARGETS headwise_compiled EXPORT headwiseCompiledTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  install(EXPORT headwiseCompiledTargets NAMESPACE headwise:: DESTINATION "${package_dir}")
endif()

configure_package_config_file(cmake/headwiseConfig.cmake.in "${PROJECT_BINARY_DIR}/headwiseConfig.cmake" INSTALL_DESTINATION "${package_dir}")
# 0.x promises nothing between minor versions.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/headwiseConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/headwiseConfig.cmake" "${PROJECT_BINARY_DIR}/headwiseConfigVersion.cmake" DESTINATION "${package_dir}")
