# libsessionstream from the objects of all layers.
get_property(layers GLOBAL PROPERTY SS_LAYERS)
set(objects "")
foreach(layer IN LISTS layers)
  list(APPEND objects $<TARGET_OBJECTS:ss_${layer}>)
endforeach()
set(SS_LIBRARY_DEPS deps::uv deps::protobuf_c deps::lmdb deps::wslay deps::http_parser
    Threads::Threads)

foreach(kind static shared)
  string(TOUPPER ${kind} KIND)
  add_library(sessionstream_${kind} ${KIND} ${objects})
  set_target_properties(sessionstream_${kind} PROPERTIES
    OUTPUT_NAME sessionstream VERSION ${PROJECT_VERSION} SOVERSION 0 LINKER_LANGUAGE C
    EXPORT_NAME ${kind})
  target_include_directories(sessionstream_${kind} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(sessionstream_${kind} PRIVATE $<BUILD_INTERFACE:ss_settings>)
endforeach()
target_link_libraries(sessionstream_shared PRIVATE $<BUILD_INTERFACE:${SS_LIBRARY_DEPS}>)
