# The tests of src/gateway that talk to a real gateway share a client and a fixture.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/gateway/test_*.c)
foreach(source IN LISTS sources)
  file(STRINGS ${source} uses REGEX "#include \"gateway_fixture.h\"")
  if(uses)
    get_filename_component(name ${source} NAME_WE)
    target_sources(gateway_${name} PRIVATE
      ${CMAKE_SOURCE_DIR}/tests/support/ws_test_client.c
      ${CMAKE_SOURCE_DIR}/tests/unit/gateway/gateway_fixture.c)
  endif()
endforeach()
