# Python tools that have tests of their own.
find_package(Python3 COMPONENTS Interpreter REQUIRED)
add_test(NAME tools_bench
  COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_SOURCE_DIR}/tests/tools/test_benchsuite.py)
set_tests_properties(tools_bench PROPERTIES TIMEOUT 60)
add_test(NAME tools_load_peer
  COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_SOURCE_DIR}/tests/tools/test_load_peer.py
          $<TARGET_FILE:ss-load>)
set_tests_properties(tools_load_peer PROPERTIES TIMEOUT 120)
