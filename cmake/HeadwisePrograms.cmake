# What headwise's own programs share; nothing of it reaches a consumer.
add_library(headwise_own INTERFACE)
target_compile_options(headwise_own INTERFACE -Wall -Wextra -Wpedantic $<$<BOOL:${HEADWISE_WERROR}>:-Werror>)
target_compile_definitions(headwise_own INTERFACE HEADWISE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                                  HEADWISE_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/golden")
target_link_libraries(headwise_compiled PRIVATE $<BUILD_INTERFACE:headwise_own>)

# headwise_program(NAME SOURCES FILES... LINK TARGETS...): a program in build/.../bin.
function(headwise_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE headwise_own ${arg_LINK})
endfunction()

# What the examples share, for tests and benchmarks to use too ("examples/support/NAME.hpp" there).
file(GLOB support_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/support/*.cpp")
if(support_sources)
  add_library(headwise_support STATIC EXCLUDE_FROM_ALL ${support_sources})
  target_link_libraries(headwise_support PUBLIC headwise::compiled PRIVATE headwise_own)
else()
  add_library(headwise_support INTERFACE)
  target_link_libraries(headwise_support INTERFACE headwise::compiled)
endif()
target_include_directories(headwise_support INTERFACE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/examples")
