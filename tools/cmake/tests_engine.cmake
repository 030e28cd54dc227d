# The engine tests that run an application use the messages of the shard tests.
if(TARGET engine_test_engine)
  sessionstream_add_proto(engine_test_engine ${CMAKE_SOURCE_DIR}/tests/unit/shard/notes.proto)
endif()
