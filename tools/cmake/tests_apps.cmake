# Tests of the built-in applications.

# fake_session.c brings the ss_* functions, so the archive is linked without what it would pull in.
foreach(app chat bench)
  ss_add_test(apps_test_${app} ${CMAKE_SOURCE_DIR}/tests/unit/apps/test_${app}.c
              SOURCES ${CMAKE_SOURCE_DIR}/tests/unit/apps/fake_session.c
                      ${CMAKE_SOURCE_DIR}/tests/unit/apps/fake_registry.c)
  target_include_directories(apps_test_${app} PRIVATE
    $<TARGET_PROPERTY:ss_app_${app},INTERFACE_INCLUDE_DIRECTORIES>)
  target_link_libraries(apps_test_${app} PRIVATE $<TARGET_FILE:ss_app_${app}> deps::protobuf_c)
  add_dependencies(apps_test_${app} ss_app_${app})
endforeach()

# The job runner uses more of the library than the fake has, so it runs on a real shard.
ss_add_test(apps_test_jobs ${CMAKE_SOURCE_DIR}/tests/unit/apps/test_jobs.c LIBS ss_app_jobs ss_engine)

# The pages in a browser; skipped (77) without chromium or without npm install in its folder.
find_program(NODE node)
if(NODE AND TARGET sessionstreamd)
  foreach(app chat jobs)
    add_test(NAME browser_${app}
      COMMAND ${NODE} ${CMAKE_SOURCE_DIR}/tests/integration/browser/run.mjs --app ${app}
              --daemon $<TARGET_FILE:sessionstreamd> --out ${CMAKE_BINARY_DIR}/screenshots)
    set_tests_properties(browser_${app} PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77)
  endforeach()
endif()
if(NODE)
  add_test(NAME browser_timeline COMMAND ${NODE} --test
           ${CMAKE_SOURCE_DIR}/tests/integration/browser/timeline.test.mjs)
endif()
