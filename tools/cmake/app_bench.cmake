# The built-in application "bench": src/apps/bench and its messages.
# Uses nothing but the public headers, so it links no layer: whoever links it brings the library.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/apps/bench/*.c)
add_library(ss_app_bench STATIC ${sources})
set_target_properties(ss_app_bench PROPERTIES
  POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
target_include_directories(ss_app_bench
  PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(ss_app_bench PRIVATE ss_settings PUBLIC deps::protobuf_c)
sessionstream_add_proto(ss_app_bench
  ${CMAKE_SOURCE_DIR}/proto/sessionstream/apps/bench/v1/bench.proto
  IMPORT_DIR ${CMAKE_SOURCE_DIR}/proto)
