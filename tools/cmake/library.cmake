# libsessionstream, static and shared, from the objects of all layers; its installation.
#
# Inside the static library the internal names (ss__...) are visible to the linker; the shared one
# exports what is marked SS_API and nothing else (tools/check_symbols proves it).
include(CMakePackageConfigHelpers)

get_property(layers GLOBAL PROPERTY SS_LAYERS)
set(objects "")
foreach(layer IN LISTS layers)
  list(APPEND objects $<TARGET_OBJECTS:ss_${layer}>)
  # Objects made from .proto files are sources of the layer, not objects of its own.
  get_target_property(sources ss_${layer} SOURCES)
  list(FILTER sources INCLUDE REGEX "TARGET_OBJECTS")
  list(APPEND objects ${sources})
endforeach()

# For modules of the daemon: the headers alone, since the daemon has the functions.
add_library(sessionstream_headers INTERFACE)
add_library(sessionstream::headers ALIAS sessionstream_headers)
set_target_properties(sessionstream_headers PROPERTIES EXPORT_NAME headers)
target_include_directories(sessionstream_headers INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(sessionstream_headers INTERFACE
  $<BUILD_INTERFACE:deps::protobuf_c> $<INSTALL_INTERFACE:PkgConfig::PROTOBUF_C>)

# What a program needs besides the library: the public headers include protobuf-c's.
set(SS_LIBRARY_DEPS deps::uv deps::lmdb deps::wslay deps::http_parser Threads::Threads m)
set(SS_INSTALLED_DEPS PkgConfig::SESSIONSTREAM_LIBUV PkgConfig::SESSIONSTREAM_LMDB
    wslay http_parser Threads::Threads m)

foreach(kind static shared)
  string(TOUPPER ${kind} KIND)
  add_library(sessionstream_${kind} ${KIND} ${objects})
  set_target_properties(sessionstream_${kind} PROPERTIES
    OUTPUT_NAME sessionstream VERSION ${PROJECT_VERSION} SOVERSION 0 LINKER_LANGUAGE C
    EXPORT_NAME ${kind})
  target_include_directories(sessionstream_${kind} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(sessionstream_${kind} PRIVATE $<BUILD_INTERFACE:ss_settings>)
  target_link_libraries(sessionstream_${kind} PUBLIC
    $<BUILD_INTERFACE:deps::protobuf_c> $<INSTALL_INTERFACE:PkgConfig::PROTOBUF_C>)
endforeach()
target_link_libraries(sessionstream_static INTERFACE
  "$<BUILD_INTERFACE:${SS_LIBRARY_DEPS}>" "$<INSTALL_INTERFACE:${SS_INSTALLED_DEPS}>")
target_link_libraries(sessionstream_shared PRIVATE "$<BUILD_INTERFACE:${SS_LIBRARY_DEPS}>")
# A name that nothing defines is found here, not by the first user.
if(NOT SS_SANITIZE)
  target_link_options(sessionstream_shared PRIVATE LINKER:--no-undefined)
endif()

install(TARGETS sessionstream_static sessionstream_shared sessionstream_headers EXPORT sessionstream_targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/sessionstream
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(DIRECTORY ${CMAKE_SOURCE_DIR}/proto/sessionstream
  DESTINATION ${CMAKE_INSTALL_DATADIR}/sessionstream/proto FILES_MATCHING PATTERN "*.proto")

configure_file(${CMAKE_SOURCE_DIR}/tools/cmake/sessionstream.pc.in sessionstream.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/sessionstream.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sessionstream)
configure_package_config_file(${CMAKE_SOURCE_DIR}/tools/cmake/sessionstreamConfig.cmake.in
  ${CMAKE_BINARY_DIR}/sessionstreamConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/sessionstreamConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(EXPORT sessionstream_targets NAMESPACE sessionstream::
  FILE sessionstreamTargets.cmake DESTINATION ${package_dir})
install(FILES ${CMAKE_BINARY_DIR}/sessionstreamConfig.cmake
              ${CMAKE_BINARY_DIR}/sessionstreamConfigVersion.cmake
              ${CMAKE_SOURCE_DIR}/tools/cmake/sessionstream_proto.cmake
              ${CMAKE_SOURCE_DIR}/tools/cmake/sessionstream_app.cmake
              ${CMAKE_SOURCE_DIR}/tools/cmake/embed.cmake
        DESTINATION ${package_dir})
