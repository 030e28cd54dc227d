# Black-box tests of the daemon, in Node. They are skipped until `npm install` was run in
# tests/integration.
find_program(NODE_PROGRAM node)

# ss_add_node_test(name file [environment...])
function(ss_add_node_test name file)
  if(NOT NODE_PROGRAM)
    return()
  endif()
  add_test(NAME ${name}
    COMMAND ${NODE_PROGRAM} ${CMAKE_SOURCE_DIR}/tests/${file}
            --daemon $<TARGET_FILE:sessionstreamd> --ssctl $<TARGET_FILE:ssctl>
            --load $<TARGET_FILE:ss-load>)
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 ENVIRONMENT "${ARGN}")
endfunction()

if(SS_SANITIZE)
  set(join_size SS_TEST_CLIENTS=60 SS_TEST_EVENTS=3000)
  set(load_size SS_TEST_RATE=200)
endif()

foreach(name chat jobs docs store stop crash durability slow churn following tutorial sessions
        encodings subscriptions paging commands import observe history events retention full)
  ss_add_node_test(integration_${name} integration/${name}.mjs)
endforeach()
ss_add_node_test(integration_backup integration/backup.mjs)
ss_add_node_test(integration_reshard integration/reshard.mjs
                 SS_LEDGER=${CMAKE_BINARY_DIR}/tests/modules/ledger.so)
ss_add_node_test(integration_projections integration/projections.mjs
                 SS_LEDGER=${CMAKE_BINARY_DIR}/tests/modules/ledger.so)
ss_add_node_test(integration_join integration/join.mjs ${join_size})
ss_add_node_test(integration_load integration/load.mjs ${load_size})
ss_add_node_test(soak soak/soak.mjs ${load_size})
if(NODE_PROGRAM)
  set_tests_properties(integration_join integration_load soak PROPERTIES RUN_SERIAL ON)
endif()
if(NOT SS_SANITIZE)    # sanitizers cannot be traced
  ss_add_node_test(integration_durable integration/durable.mjs)
endif()
ss_add_node_test(conformance_frames conformance/frames/frames.mjs)
ss_add_node_test(conformance_websocket conformance/websocket/websocket.mjs)
