# The engine tests that run an application use the messages of the shard tests.
foreach(name test_backup test_effects test_engine test_errors test_events test_import test_metadata test_million_sessions
        test_observers test_past_snapshots test_rebuild test_sessions test_timeline_halt)
  if(TARGET engine_${name})
    sessionstream_add_proto(engine_${name} ${CMAKE_SOURCE_DIR}/tests/unit/shard/notes.proto)
  endif()
endforeach()
# A million sessions in a release, on a machine that others use, too.
set_tests_properties(engine_test_million_sessions PROPERTIES TIMEOUT 600)
