# tests/hostile: clients that mean harm, overload, and all connections coming back at once.
file(GLOB hostile_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/hostile/*.c)
add_executable(hostile ${hostile_sources} ${CMAKE_SOURCE_DIR}/bench/histogram.c)
set_target_properties(hostile PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_include_directories(hostile PRIVATE ${CMAKE_SOURCE_DIR}/tests/hostile
  ${CMAKE_SOURCE_DIR}/bench ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(hostile PRIVATE ss_wire ss_settings)

# The short form: what is answered, what is freed and what is delivered, and no latency. Nothing in it
# is decided by time, so the scenarios of a group wait beside each other.
set(hostile_short --seconds 0.2 --scale 0.05 --ratio 0 --patience 120000)
foreach(group connections frames readers sessions malformed)
  add_test(NAME hostile_${group}
    COMMAND hostile --daemon $<TARGET_FILE:sessionstreamd> ${hostile_short} --jobs 6
            --group ${group})
  list(APPEND hostile_tests hostile_${group})
endforeach()
foreach(scenario overload standstill storm)
  add_test(NAME hostile_${scenario}
    COMMAND hostile --daemon $<TARGET_FILE:sessionstreamd> ${hostile_short} --scenario ${scenario}
            --connections 500)
  list(APPEND hostile_tests hostile_${scenario})
endforeach()
set_tests_properties(${hostile_tests} PROPERTIES TIMEOUT 600 RUN_SERIAL ON)
