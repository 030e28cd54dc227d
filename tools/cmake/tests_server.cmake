# Tests of src/server, of the installed tree, and checks of the sources themselves.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/server/test_*.c)
foreach(source IN LISTS sources)
  get_filename_component(name ${source} NAME_WE)
  ss_add_test(server_${name} ${source} LIBS ss_server)
endforeach()

add_test(NAME docs_options
  COMMAND ${CMAKE_COMMAND} -DDAEMON=$<TARGET_FILE:sessionstreamd>
          -DPAGE=${CMAKE_SOURCE_DIR}/docs/options.md
          -P ${CMAKE_SOURCE_DIR}/tools/cmake/check_options_page.cmake)

add_test(NAME integration_programs
  COMMAND ${CMAKE_SOURCE_DIR}/tests/integration/programs/run ${CMAKE_BINARY_DIR}/bin)
set_tests_properties(integration_programs PROPERTIES TIMEOUT 120)

# The consumer is built without our instrumentation, so it can only link a library without it.
if(NOT SS_SANITIZE AND NOT CMAKE_C_FLAGS MATCHES "--coverage")
  add_test(NAME integration_consumer
    COMMAND ${CMAKE_SOURCE_DIR}/tests/integration/consumer/run ${CMAKE_BINARY_DIR}
            ${CMAKE_SOURCE_DIR}/tests/integration/consumer)
  set_tests_properties(integration_consumer PROPERTIES TIMEOUT 600)
endif()

find_package(Python3 COMPONENTS Interpreter REQUIRED)
foreach(check layers tests)
  add_test(NAME check_${check}
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/check_${check}.py
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endforeach()
