# headwise::compiled: one generated source per folder of include/headwise (per file where files are heavy), each of which
# includes the declarations and then the `x.inl.hpp` that its `x.hpp` leaves out when HEADWISE_COMPILED is defined.
# A body is so compiled once, and the folder's list is the file system's: a new header needs no edit here.

set(headwise_include "${PROJECT_SOURCE_DIR}/include")
set(headwise_heavy_folders kernels kernels/targets models families)  # a source per file

file(GLOB_RECURSE bodies CONFIGURE_DEPENDS RELATIVE "${headwise_include}" "${headwise_include}/headwise/*.inl.hpp")
list(SORT bodies)
set(compiled_units "")
foreach(body IN LISTS bodies)
  # An `.inl.hpp` without a header that includes it is a fragment of another body.
  string(REPLACE ".inl.hpp" ".hpp" header "${body}")
  if(NOT EXISTS "${headwise_include}/${header}")
    continue()
  endif()
  file(STRINGS "${headwise_include}/${header}" included_by_header REGEX "^#include \"${body}\"")
  if(NOT included_by_header)
    continue()
  endif()
  get_filename_component(unit "${body}" DIRECTORY)
  string(REGEX REPLACE "^headwise/?" "" unit "${unit}")
  if(unit IN_LIST headwise_heavy_folders)
    get_filename_component(name "${header}" NAME_WE)
    string(APPEND unit "/${name}")
  endif()
  if(unit STREQUAL "")
    set(unit "front")
  endif()
  string(REPLACE "/" "_" unit "${unit}")
  list(APPEND compiled_units "${unit}")
  string(APPEND compiled_headers_${unit} "#include \"${header}\"\n")
  string(APPEND compiled_bodies_${unit} "#include \"${body}\"\n")
endforeach()
list(REMOVE_DUPLICATES compiled_units)

set(compiled_sources "")
foreach(unit IN LISTS compiled_units)
  set(source "${PROJECT_BINARY_DIR}/compiled/${unit}.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "${compiled_headers_${unit}}\n${compiled_bodies_${unit}}" @ONLY)  # written only when it differs
  list(APPEND compiled_sources "${source}")
endforeach()

add_library(headwise_compiled STATIC ${compiled_sources})
if(NOT HEADWISE_BUILD_COMPILED)
  set_target_properties(headwise_compiled PROPERTIES EXCLUDE_FROM_ALL ON)  # built when somebody links it
endif()
add_library(headwise::compiled ALIAS headwise_compiled)
set_target_properties(headwise_compiled PROPERTIES EXPORT_NAME compiled OUTPUT_NAME headwise POSITION_INDEPENDENT_CODE ON)
target_link_libraries(headwise_compiled PUBLIC headwise_text)
target_compile_definitions(headwise_compiled PUBLIC HEADWISE_COMPILED)
