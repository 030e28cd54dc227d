# The crash loop in its short form (tests/crash, tools/torture): kill -9 at random moments and at
# kill points, which only builds with SS_DEV_CHECKS have.
if(SS_DEV_CHECKS AND NODE_PROGRAM)
  set(crash_dir ${CMAKE_SOURCE_DIR}/tests/crash)
  sessionstream_add_app(torture_app SOURCES ${crash_dir}/torture_app.c
                        PROTO ${crash_dir}/torture.proto)
  set_target_properties(torture_app PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/modules)

  # ss_add_crash_test(name arguments...)
  function(ss_add_crash_test name)
    add_test(NAME ${name}
      COMMAND ${NODE_PROGRAM} ${CMAKE_SOURCE_DIR}/tests/crash/torture.mjs
              --daemon $<TARGET_FILE:sessionstreamd> --ssctl $<TARGET_FILE:ssctl>
              --module $<TARGET_FILE:torture_app> ${ARGN})
    set_tests_properties(${name} PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77)
  endfunction()

  # A start takes seconds under ThreadSanitizer, which looks for races and not for lost events.
  if(SS_SANITIZE MATCHES "thread")
    set(crash_kills 5)
    set(crash_mode_kills 2)
  elseif(SS_SANITIZE)
    set(crash_kills 12)
    set(crash_mode_kills 3)
  else()
    set(crash_kills 20)
    set(crash_mode_kills 5)
  endif()
  ss_add_crash_test(crash_torture --kills ${crash_kills} --seed 1)
  ss_add_crash_test(crash_torture_modes --kills ${crash_mode_kills} --seed 2 --durability mixed)
endif()
