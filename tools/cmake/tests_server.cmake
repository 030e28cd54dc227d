# Tests of src/server, of the installed tree, and checks of the sources themselves.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/server/test_*.c)
foreach(source IN LISTS sources)
  get_filename_component(name ${source} NAME_WE)
  ss_add_test(server_${name} ${source} LIBS ss_server)
endforeach()

# Modules that lack one thing each, for test_app_module.c.
set(modules ${CMAKE_BINARY_DIR}/tests/modules)
set(module_good "")
set(module_symbol MODULE_WITHOUT_SYMBOL)
set(module_abi MODULE_ABI=99)
set(module_unnamed MODULE_NAME=NULL)
set(module_misnamed "MODULE_NAME=\"two words\"")
set(module_init MODULE_INIT=NULL)
set(module_undefined MODULE_UNDEFINED)
foreach(module good symbol abi unnamed misnamed init undefined)
  add_library(module_${module} MODULE ${CMAKE_SOURCE_DIR}/tests/unit/server/modules/module.c)
  set_target_properties(module_${module} PROPERTIES PREFIX "" C_VISIBILITY_PRESET hidden
    LIBRARY_OUTPUT_DIRECTORY ${modules})
  target_compile_definitions(module_${module} PRIVATE ${module_${module}})
  target_link_libraries(module_${module} PRIVATE ss_settings sessionstream::headers)
  add_dependencies(server_test_app_module module_${module})
endforeach()
target_compile_definitions(server_test_app_module PRIVATE SS_MODULE_DIR="${modules}")

add_test(NAME docs_reference
  COMMAND ${CMAKE_COMMAND} -DDAEMON=$<TARGET_FILE:sessionstreamd> -DSOURCE=${CMAKE_SOURCE_DIR}
          -P ${CMAKE_SOURCE_DIR}/tools/cmake/check_reference.cmake)

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

# A module of this tree, and the same sources built against its installation.
set(module_dir ${CMAKE_SOURCE_DIR}/tests/integration/modules)
sessionstream_add_app(counter SOURCES ${module_dir}/counter.c PROTO ${module_dir}/counter.proto
                      ASSETS ${module_dir}/hello.txt)
sessionstream_add_app(ledger SOURCES ${module_dir}/ledger.c PROTO ${module_dir}/counter.proto)
set_target_properties(counter ledger PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${modules})
add_test(NAME integration_modules
  COMMAND ${module_dir}/run ${CMAKE_BINARY_DIR} ${module_dir})
set_tests_properties(integration_modules PROPERTIES TIMEOUT 300)

find_package(Python3 COMPONENTS Interpreter REQUIRED)
foreach(check layers tests)
  add_test(NAME check_${check}
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/check_${check}.py
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endforeach()
