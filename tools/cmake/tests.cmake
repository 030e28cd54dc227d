# Every tests/unit/<layer>/test_<file>.c is one program linked with that layer and below.
# Under ThreadSanitizer the same files run with the in-process runner (tests/support/ss_test.h).
pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)

if(SS_SANITIZE MATCHES "thread")
  set(SS_TEST_PLAIN ON)
endif()

# ss_add_test(name source LIBS targets...)
function(ss_add_test name source)
  cmake_parse_arguments(ARG "" "" "LIBS;SOURCES" ${ARGN})
  add_executable(${name} ${source} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support
                                             ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} ss_settings)
  if(SS_TEST_PLAIN)
    target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/plain_main.c)
    target_compile_definitions(${name} PRIVATE SS_TEST_PLAIN)
  else()
    target_link_libraries(${name} PRIVATE PkgConfig::CRITERION)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()

foreach(layer core runtime schema store http wire message shard gateway engine)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/${layer}/test_*.c)
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    file(STRINGS ${source} needs_faults REGEX "ss__fault_arm|store_fixture.h")
    if(needs_faults AND NOT SS_DEV_CHECKS)
      continue()    # a release build has no fault points
    endif()
    ss_add_test(${layer}_${name} ${source} LIBS ss_${layer})
  endforeach()
endforeach()
include(tests_schema)
include(tests_server)
include(tests_gateway)
include(tests_shard)
include(tests_apps)
include(tests_json)
