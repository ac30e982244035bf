# What headwise's own programs share; nothing of it reaches a consumer.
add_library(headwise_own INTERFACE)
target_compile_options(headwise_own INTERFACE -Wall -Wextra -Wpedantic $<$<BOOL:${HEADWISE_WERROR}>:-Werror>)
target_compile_definitions(headwise_own INTERFACE HEADWISE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                                  HEADWISE_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/golden")
target_link_libraries(headwise_compiled PRIVATE $<BUILD_INTERFACE:headwise_own>)

# headwise_program(NAME SOURCES... [LINK TARGETS...]): a program in build/.../bin, against headwise::compiled unless LINK says otherwise.
function(headwise_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  if(NOT arg_LINK)
    set(arg_LINK headwise::compiled)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE headwise_own ${arg_LINK})
endfunction()
