# tests/damage: copies of a store with bits flipped and pages lost. Needs fault points.
if(SS_DEV_CHECKS)
  file(GLOB damage_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/damage/*.c)
  add_executable(damage ${damage_sources})
  set_target_properties(damage PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_include_directories(damage PRIVATE ${CMAKE_SOURCE_DIR}/tests/support
    ${CMAKE_SOURCE_DIR}/tests/unit/store ${CMAKE_SOURCE_DIR}/tests/damage ${CMAKE_SOURCE_DIR}/src)
  target_compile_definitions(damage PRIVATE SS_TEST_PLAIN)    # a failed check aborts
  target_link_libraries(damage PRIVATE ss_store ss_settings)
  add_test(NAME damage_store COMMAND damage --seed 1 --flips 80)
  set_tests_properties(damage_store PROPERTIES TIMEOUT 300)
endif()

ss_add_node_test(damage_daemon damage/daemon.mjs)
