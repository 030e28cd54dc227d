# The JSON codec against @bufbuild/protobuf over generated messages; skipped without node modules.
find_program(NODE node)
add_executable(codec_pipe ${CMAKE_SOURCE_DIR}/tests/conformance/json/codec_pipe.c)
set_target_properties(codec_pipe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(codec_pipe PRIVATE ss_schema ss_settings)
sessionstream_add_proto(codec_pipe ${CMAKE_SOURCE_DIR}/tests/unit/schema/kinds.proto
                        DESCRIPTOR_ONLY)
if(NODE)
  add_test(NAME conformance_json COMMAND ${NODE}
    ${CMAKE_SOURCE_DIR}/tests/conformance/json/run.mjs --pipe $<TARGET_FILE:codec_pipe>
    --descriptors ${CMAKE_BINARY_DIR}/proto-gen/codec_pipe/kinds.binpb --count 11000)
  set_tests_properties(conformance_json PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77)
endif()
