# tests/hostile: clients that mean harm, overload, and all connections coming back at once.
file(GLOB hostile_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/hostile/*.c)
add_executable(hostile ${hostile_sources} ${CMAKE_SOURCE_DIR}/bench/histogram.c)
set_target_properties(hostile PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_include_directories(hostile PRIVATE ${CMAKE_SOURCE_DIR}/tests/hostile
  ${CMAKE_SOURCE_DIR}/bench ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(hostile PRIVATE ss_wire ss_settings)

# The short form: what is answered, what is freed and what is delivered, and no latency.
set(hostile_short --seconds 0.5 --scale 0.05 --ratio 0 --patience 30000)
foreach(group connections frames readers sessions malformed)
  add_test(NAME hostile_${group}
    COMMAND hostile --daemon $<TARGET_FILE:sessionstreamd> ${hostile_short} --group ${group})
  list(APPEND hostile_tests hostile_${group})
endforeach()
add_test(NAME hostile_overload
  COMMAND hostile --daemon $<TARGET_FILE:sessionstreamd> ${hostile_short} --scenario overload)
add_test(NAME hostile_storm
  COMMAND hostile --daemon $<TARGET_FILE:sessionstreamd> ${hostile_short} --scenario storm
          --connections 500)
set_tests_properties(${hostile_tests} hostile_overload hostile_storm PROPERTIES TIMEOUT 600
                     RUN_SERIAL ON)
