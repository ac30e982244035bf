# headwise::compiled: one generated source per folder of include/headwise (per file where files are heavy), which includes the
# `x.inl.hpp` bodies that the headers leave out when HEADWISE_COMPILED is defined. A body is so compiled once, and the list is the
# file system's: a new header needs no edit here.

set(headwise_include "${PROJECT_SOURCE_DIR}/include")
set(headwise_heavy_folders kernels models families)  # a source per file

file(GLOB_RECURSE bodies CONFIGURE_DEPENDS RELATIVE "${headwise_include}" "${headwise_include}/headwise/*.inl.hpp")
list(SORT bodies)

# A body that another one includes is compiled with it.
set(inner_bodies "")
foreach(body IN LISTS bodies)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${headwise_include}/${body}")
  file(STRINGS "${headwise_include}/${body}" lines REGEX "^#include \"headwise/.*\\.inl\\.hpp\"")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^#include \"(.*)\".*" "\\1" line "${line}")
    list(APPEND inner_bodies "${line}")
  endforeach()
endforeach()
if(inner_bodies)
  list(REMOVE_ITEM bodies ${inner_bodies})
endif()

set(compiled_units "")
foreach(body IN LISTS bodies)
  get_filename_component(unit "${body}" DIRECTORY)
  string(REGEX REPLACE "^headwise/?" "" unit "${unit}")
  if(unit IN_LIST headwise_heavy_folders)
    get_filename_component(name "${body}" NAME_WE)
    string(APPEND unit "/${name}")
  elseif(unit STREQUAL "")
    set(unit "front")
  endif()
  string(REPLACE "/" "_" unit "${unit}")
  list(APPEND compiled_units "${unit}")
  string(APPEND compiled_bodies_${unit} "#include \"${body}\"\n")
endforeach()
list(REMOVE_DUPLICATES compiled_units)

set(compiled_sources "")
foreach(unit IN LISTS compiled_units)
  set(source "${PROJECT_BINARY_DIR}/compiled/${unit}.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "${compiled_bodies_${unit}}" @ONLY)  # written only when it differs
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
