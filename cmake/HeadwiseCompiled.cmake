# headwise::compiled: one generated source per folder of include/headwise (in heavy folders one per header), which includes the bodies
# (`x.inl.hpp`) that the folder's headers leave out when HEADWISE_COMPILED is defined. A body is so compiled once, and the list is read
# from the headers: a new one needs no edit here.

set(headwise_include "${PROJECT_SOURCE_DIR}/include")
set(headwise_heavy_folders kernels models families)  # tests/lint/rules.py knows them too

file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${headwise_include}" "${headwise_include}/headwise/*.hpp")
list(FILTER headers EXCLUDE REGEX "\\.(inl|inc)\\.hpp$")
list(SORT headers)
set(compiled_units "")
foreach(header IN LISTS headers)
  file(STRINGS "${headwise_include}/${header}" bodies REGEX "^#(if HEADWISE_DEFINITIONS|include \"headwise/.*\\.inl\\.hpp\")")
  list(FIND bodies "#if HEADWISE_DEFINITIONS" switch)
  if(switch EQUAL -1)
    continue()
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${headwise_include}/${header}")
  list(SUBLIST bodies ${switch} -1 bodies)
  list(REMOVE_AT bodies 0)
  list(JOIN bodies "\n" bodies)

  get_filename_component(unit "${header}" DIRECTORY)
  string(REGEX REPLACE "^headwise/?" "" unit "${unit}")
  if(unit IN_LIST headwise_heavy_folders)
    get_filename_component(name "${header}" NAME_WE)
    string(APPEND unit "/${name}")
  elseif(unit STREQUAL "")
    set(unit "front")
  endif()
  string(REPLACE "/" "_" unit "${unit}")
  list(APPEND compiled_units "${unit}")
  string(APPEND compiled_bodies_${unit} "${bodies}\n")
endforeach()

# A stock family (HEADWISE_STOCK_FAMILY at the end of its header) is instantiated in a unit of its own.
foreach(header IN LISTS headers)
  file(STRINGS "${headwise_include}/${header}" stock REGEX "^HEADWISE_STOCK_FAMILY\\(")
  foreach(line IN LISTS stock)
    string(REGEX REPLACE "^HEADWISE_STOCK_FAMILY\\((.*)\\)$" "\\1" family "${line}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${headwise_include}/${header}")
    list(APPEND compiled_units "family_${family}")
    string(APPEND compiled_bodies_family_${family} "#include \"headwise/families/build_model.hpp\"\n#include \"${header}\"\n"
           "template std::unique_ptr<hw::Model> hw::build_model<hw::families::${family}>(\n"
           "    const hw::HfConfig&, std::shared_ptr<const hw::WeightSource>, const hw::LoadOptions&);\n")
  endforeach()
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
