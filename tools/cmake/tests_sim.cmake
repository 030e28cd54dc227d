# tests/sim: seeded runs of whole shards against a model. Needs fault points.
if(SS_DEV_CHECKS)
  file(GLOB sim_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/sim/*.c)
  add_executable(sim ${sim_sources})
  set_target_properties(sim PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_include_directories(sim PRIVATE ${CMAKE_SOURCE_DIR}/tests/support
    ${CMAKE_SOURCE_DIR}/tests/sim ${CMAKE_SOURCE_DIR}/src)
  target_compile_definitions(sim PRIVATE SS_TEST_PLAIN)    # a failed check aborts
  target_link_libraries(sim PRIVATE ss_shard ss_settings)
  sessionstream_add_proto(sim ${CMAKE_SOURCE_DIR}/tests/sim/sim.proto)
  if(SS_SANITIZE)
    set(sim_seeds 200)
  else()
    set(sim_seeds 1000)
  endif()
  add_test(NAME sim COMMAND sim --seeds ${sim_seeds})
  set_tests_properties(sim PROPERTIES TIMEOUT 600)
endif()
