# Tests of the load tester's parts that do no I/O.
set(load_parts dialect dialect_json dialect_mqtt dialect_nats dialect_nchan dialect_protobuf
    dialect_redis options peer_body pending request_id websocket)
list(TRANSFORM load_parts PREPEND ${CMAKE_SOURCE_DIR}/bench/load/)
list(TRANSFORM load_parts APPEND .c)
add_library(ss_load_parts STATIC ${load_parts})
target_include_directories(ss_load_parts PUBLIC ${CMAKE_SOURCE_DIR}/bench)
target_link_libraries(ss_load_parts PUBLIC ss_server m PRIVATE ss_settings)

file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/load/test_*.c)
foreach(source IN LISTS sources)
  get_filename_component(name ${source} NAME_WE)
  ss_add_test(load_${name} ${source} LIBS ss_load_parts)
endforeach()
