# The JSON codec against @bufbuild/protobuf over generated messages; skipped without node modules.
find_program(NODE node)
add_executable(codec_pipe ${CMAKE_SOURCE_DIR}/tests/conformance/json/codec_pipe.c)
set_target_properties(codec_pipe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(codec_pipe PRIVATE ss_schema ss_settings)
foreach(proto kinds kinds2)
  sessionstream_add_proto(codec_pipe ${CMAKE_SOURCE_DIR}/tests/unit/schema/${proto}.proto
                          DESCRIPTOR_ONLY)
endforeach()
set(codec_sets ${CMAKE_BINARY_DIR}/proto-gen/codec_pipe)
if(NODE)
  add_test(NAME conformance_json COMMAND ${NODE}
    ${CMAKE_SOURCE_DIR}/tests/conformance/json/run.mjs --pipe $<TARGET_FILE:codec_pipe>
    --descriptors ${codec_sets}/kinds.binpb,${codec_sets}/kinds2.binpb --count 11000)
  set_tests_properties(conformance_json PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77)
endif()

# Our reading of HTTP requests beside that of Node's parser.
add_executable(request_pipe ${CMAKE_SOURCE_DIR}/tests/conformance/http/request_pipe.c)
set_target_properties(request_pipe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(request_pipe PRIVATE ss_http ss_settings)
if(NODE)
  add_test(NAME conformance_http COMMAND ${NODE}
    ${CMAKE_SOURCE_DIR}/tests/conformance/http/run.mjs --pipe $<TARGET_FILE:request_pipe>)
  set_tests_properties(conformance_http PROPERTIES TIMEOUT 300)
endif()
