# The three targets.
#   headwise::headwise  headers; links threads, sees Eigen's headers (and nlohmann_json's, which io/ needs, when they are there)
#   headwise::text      + tokenizers and chat templates, so `auto.hpp`: PCRE2, utf8proc, nlohmann_json
#   headwise::compiled  the same headers, with every non-template body in one static library

if(NOT TARGET Threads::Threads)
  set(THREADS_PREFER_PTHREAD_FLAG ON)
  find_package(Threads REQUIRED)
endif()
if(NOT TARGET Eigen3::Eigen)
  find_package(Eigen3 QUIET NO_MODULE)
  if(NOT TARGET Eigen3::Eigen)
    message(FATAL_ERROR "headwise needs the headers of Eigen 3.4 (Debian: apt-get install libeigen3-dev)")
  endif()
endif()
if(NOT TARGET nlohmann_json::nlohmann_json)
  find_package(nlohmann_json 3.11 QUIET)
endif()
find_package(PCRE2 10.40 QUIET)
find_package(Utf8proc 2.7 QUIET)

add_library(headwise INTERFACE)
add_library(headwise::headwise ALIAS headwise)
target_compile_features(headwise INTERFACE cxx_std_20)
target_include_directories(headwise INTERFACE "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
                                              "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
target_link_libraries(headwise INTERFACE Threads::Threads Eigen3::Eigen)
if(TARGET nlohmann_json::nlohmann_json)
  target_link_libraries(headwise INTERFACE "$<BUILD_INTERFACE:nlohmann_json::nlohmann_json>"
                                           "$<INSTALL_INTERFACE:$<TARGET_NAME_IF_EXISTS:nlohmann_json::nlohmann_json>>")
endif()

set(text_needs "")
foreach(pair "PCRE2::8bit=libpcre2-dev" "Utf8proc::utf8proc=libutf8proc-dev" "nlohmann_json::nlohmann_json=nlohmann-json3-dev")
  string(REPLACE "=" ";" pair "${pair}")
  list(GET pair 0 needed)
  list(GET pair 1 debian)
  if(NOT TARGET ${needed})
    list(APPEND text_needs ${debian})
  endif()
endforeach()
list(JOIN text_needs " " text_needs)

if(text_needs)
  if(HEADWISE_BUILD_TESTS OR HEADWISE_BUILD_EXAMPLES OR HEADWISE_BUILD_BENCH)
    message(FATAL_ERROR "headwise's own programs need what is missing here (Debian: apt-get install ${text_needs})")
  endif()
  message(STATUS "headwise: without headwise::text and headwise::compiled (Debian: apt-get install ${text_needs})")
  return()
endif()

add_library(headwise_text INTERFACE)
add_library(headwise::text ALIAS headwise_text)
set_target_properties(headwise_text PROPERTIES EXPORT_NAME text)
target_link_libraries(headwise_text INTERFACE headwise nlohmann_json::nlohmann_json PCRE2::8bit Utf8proc::utf8proc)

include(HeadwiseCompiled)
