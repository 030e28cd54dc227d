# cmake -DDAEMON=sessionstreamd -DPAGE=docs/options.md -P check_options_page.cmake
execute_process(COMMAND ${DAEMON} --print-options-markdown OUTPUT_VARIABLE now
                COMMAND_ERROR_IS_FATAL ANY)
file(READ ${PAGE} page)
if(NOT page STREQUAL now)
  message(FATAL_ERROR "${PAGE} is stale: sessionstreamd --print-options-markdown > ${PAGE}")
endif()
