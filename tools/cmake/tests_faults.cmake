# tests/faults: a server and its clients while allocations and system calls fail. It defines malloc
# itself, which neither the thread sanitizer nor clang's static runtime bears.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND NOT SS_SANITIZE MATCHES "thread")
  file(GLOB faults_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/faults/*.c)
  add_executable(faults ${faults_sources})
  set_target_properties(faults PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests
                        ENABLE_EXPORTS ON)
  target_include_directories(faults PRIVATE ${CMAKE_SOURCE_DIR}/tests/faults
    ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(faults PRIVATE ss_engine ss_settings deps::lmdb ${CMAKE_DL_LIBS})
  sessionstream_add_proto(faults ${CMAKE_SOURCE_DIR}/tests/unit/shard/notes.proto)
  # The whole of it takes minutes: faults --help.
  set(faults_memory 61)
  set(faults_calls 41)
  add_test(NAME faults_memory COMMAND faults --memory --stride ${faults_memory} --seconds 40)
  if(SS_DEV_CHECKS)
    add_test(NAME faults_growth COMMAND faults --growth --stride 97 --seconds 40)
  endif()
  add_test(NAME faults_memory_burst
    COMMAND faults --memory --stride 131 --burst 40 --seconds 40)
  add_test(NAME faults_calls COMMAND faults --calls --stride ${faults_calls} --seconds 50)
  add_test(NAME faults_random COMMAND faults --random --runs 60 --seconds 40)
  add_test(NAME faults_full_disk COMMAND faults --full --runs 40 --seconds 40)
  set_tests_properties(faults_memory faults_memory_burst faults_calls faults_random
    faults_full_disk PROPERTIES TIMEOUT 300)
  if(SS_DEV_CHECKS)
    set_tests_properties(faults_growth PROPERTIES TIMEOUT 300)

    # A store and its tools alone: every place that calls something sees it fail.
    file(GLOB store_faults_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/faults/store/*.c
      ${CMAKE_SOURCE_DIR}/tests/faults/interpose*.c ${CMAKE_SOURCE_DIR}/tests/faults/runs.c)
    add_executable(store_faults ${store_faults_sources})
    set_target_properties(store_faults PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests ENABLE_EXPORTS ON)
    target_include_directories(store_faults PRIVATE ${CMAKE_SOURCE_DIR}/tests/support
      ${CMAKE_SOURCE_DIR}/tests/unit/store ${CMAKE_SOURCE_DIR}/src)
    target_compile_definitions(store_faults PRIVATE SS_TEST_PLAIN)    # a failed check aborts
    target_link_libraries(store_faults PRIVATE ss_store ss_settings deps::lmdb deps::uv
      ${CMAKE_DL_LIBS})
    add_test(NAME faults_store COMMAND store_faults --stride 29 --seconds 60)
    set_tests_properties(faults_store PROPERTIES TIMEOUT 300)
  endif()
endif()
