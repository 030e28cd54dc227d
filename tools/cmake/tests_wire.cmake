# The websocket cases are data, which the decoder and the daemon are held against.
if(TARGET wire_test_ws_cases)
  target_compile_definitions(wire_test_ws_cases PRIVATE
    SS_WS_CASES="${CMAKE_SOURCE_DIR}/tests/conformance/websocket/frames.txt")
endif()
if(TARGET http_test_handshakes)
  target_compile_definitions(http_test_handshakes PRIVATE
    SS_WS_HANDSHAKES="${CMAKE_SOURCE_DIR}/tests/conformance/websocket/handshakes.txt")
endif()
