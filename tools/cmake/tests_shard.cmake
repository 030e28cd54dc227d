# Messages of the shard tests that step a whole shard.
file(GLOB shard_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/shard/test_*.c)
foreach(file ${shard_tests})
  get_filename_component(name ${file} NAME_WE)
  file(STRINGS ${file} uses_app REGEX "notes_app.h")
  if(uses_app AND TARGET shard_${name})
    sessionstream_add_proto(shard_${name} ${CMAKE_SOURCE_DIR}/tests/unit/shard/notes.proto)
  endif()
endforeach()
