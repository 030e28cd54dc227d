# tests/fuzz: one program per parser. In the preset `fuzz` libFuzzer drives it (tools/fuzz); in all
# others it replays its corpus with mutations that never change (tests/fuzz/replay.c).
option(SS_BUILD_FUZZ "Build the fuzz targets with libFuzzer; needs clang" OFF)

if(SS_BUILD_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "SS_BUILD_FUZZ needs clang: use the preset fuzz or tools/fuzz")
  endif()
  # An empty struct ss_str may be NULL, and NULL + 0 is no error to C2y or to any compiler.
  target_compile_options(ss_settings INTERFACE -fsanitize=fuzzer-no-link
                                               -fno-sanitize=pointer-overflow)
endif()
add_custom_target(fuzz_all)

# ss_add_fuzz(NAME layer [PROTOS files...] [SOURCES files of src...] [LIBS targets...])
# SOURCES: of a program, compiled for the target alone, so that the whole program is not.
function(ss_add_fuzz name layer)
  cmake_parse_arguments(ARG "" "" "PROTOS;SOURCES;LIBS" ${ARGN})
  list(TRANSFORM ARG_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/src/)
  set(folder ${CMAKE_SOURCE_DIR}/tests/fuzz)
  set(corpus ${folder}/corpus/${name})
  add_executable(fuzz_${name} ${folder}/fuzz_${name}.c ${ARG_SOURCES})
  set_target_properties(fuzz_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_include_directories(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support
    ${CMAKE_SOURCE_DIR}/tests/unit ${CMAKE_SOURCE_DIR}/src)
  target_compile_definitions(fuzz_${name} PRIVATE SS_TEST_PLAIN)    # a failed check aborts
  target_link_libraries(fuzz_${name} PRIVATE ss_${layer} ss_settings ${ARG_LIBS})
  foreach(proto IN LISTS ARG_PROTOS)
    sessionstream_add_proto(fuzz_${name} ${CMAKE_SOURCE_DIR}/tests/unit/schema/${proto}
                            DESCRIPTOR_ONLY)
  endforeach()
  if(SS_BUILD_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} -runs=0 ${corpus})
  else()
    target_sources(fuzz_${name} PRIVATE ${folder}/replay.c)
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} ${corpus})
  endif()
  set_tests_properties(fuzz_${name} PROPERTIES TIMEOUT 300)
  add_dependencies(fuzz_all fuzz_${name})
endfunction()

ss_add_fuzz(json schema PROTOS kinds.proto kinds2.proto)
ss_add_fuzz(validate schema PROTOS kinds.proto kinds2.proto)
ss_add_fuzz(http_request http)
ss_add_fuzz(ws_decoder wire)
ss_add_fuzz(descriptor schema)
ss_add_fuzz(record store)
ss_add_fuzz(lint lint_policy)
ss_add_fuzz(cursor core)
ss_add_fuzz(chunked http)
ss_add_fuzz(ws_client wire)
ss_add_fuzz(client_frame wire)
ss_add_fuzz(row store)
ss_add_fuzz(manifest store)
ss_add_fuzz(log_walk store)
ss_add_fuzz(option_file core LIBS deps::yaml
  SOURCES engine/options.c server/file_bytes.c server/nearest.c server/option_file.c
          server/option_print.c server/option_table.c server/option_value.c server/options.c)
ss_add_fuzz(ctl http LIBS ss_schema
  SOURCES server/client_socket.c server/http_exchange.c server/json_members.c server/nearest.c
          server/option_value.c server/url.c)
ss_add_fuzz(message schema PROTOS kinds.proto kinds2.proto)
ss_add_fuzz(import message LIBS ss_schema SOURCES gateway/import_read.c PROTOS kinds.proto)

# A real gateway on the loopback; the fixture is that of its unit tests.
ss_add_fuzz(gateway gateway)
target_compile_definitions(fuzz_gateway PRIVATE SS_FUZZ_MUTATIONS=200)    # sockets take their time
target_sources(fuzz_gateway PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/ws_test_client.c
                                    ${CMAKE_SOURCE_DIR}/tests/unit/gateway/gateway_fixture.c)

# A second reader of JSON; the daemon does not need it.
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
ss_add_fuzz(jansson schema LIBS PkgConfig::JANSSON)
