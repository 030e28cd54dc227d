# tests/powerloss: a run of the daemon is recorded, then the data directory is rebuilt as a power
# failure may have left it at many moments, and opened. Needs fault points, and no ThreadSanitizer,
# which cannot be preloaded over.
if(SS_DEV_CHECKS AND NOT SS_SANITIZE MATCHES "thread")
  set(powerloss_dir ${CMAKE_SOURCE_DIR}/tests/powerloss)
  add_library(powerloss_record MODULE ${powerloss_dir}/record.c
    ${powerloss_dir}/record_data.c ${powerloss_dir}/record_escape.c
    ${powerloss_dir}/record_names.c ${powerloss_dir}/record_sync.c)
  set_target_properties(powerloss_record PROPERTIES PREFIX "" SUFFIX ".so"
    C_VISIBILITY_PRESET hidden LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_compile_definitions(powerloss_record PRIVATE _GNU_SOURCE)
  target_compile_options(powerloss_record PRIVATE -Wall -Wextra -Wno-unused-parameter)

  sessionstream_add_app(powerloss_app SOURCES ${powerloss_dir}/app.c
                        PROTO ${powerloss_dir}/app.proto)
  set_target_properties(powerloss_app PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/modules)

  add_executable(powerloss_verify ${powerloss_dir}/verify.c)
  set_target_properties(powerloss_verify PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_include_directories(powerloss_verify PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(powerloss_verify PRIVATE ss_store ss_settings)
  target_compile_options(powerloss_verify PRIVATE -O2)

  add_test(NAME powerloss
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_SOURCE_DIR}/tools/powerloss
            --build ${CMAKE_BINARY_DIR} --seed 1 --points 200 --seconds 3 --failing no)
  add_test(NAME powerloss_failing
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_SOURCE_DIR}/tools/powerloss
            --build ${CMAKE_BINARY_DIR} --seed 1 --points 120 --seconds 4 --failing only)
  set_tests_properties(powerloss powerloss_failing PROPERTIES TIMEOUT 900)
endif()
