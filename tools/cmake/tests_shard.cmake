# Messages of the shard tests.
foreach(name test_shard test_commit_failure test_load)
  if(TARGET shard_${name})
    sessionstream_add_proto(shard_${name} ${CMAKE_SOURCE_DIR}/tests/unit/shard/notes.proto)
  endif()
endforeach()
