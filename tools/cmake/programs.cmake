# sessionstreamd, ssctl, ss-lint, ss-bench and ss-load in <build>/bin.

# Everything in src/server but the two main functions, so that tests can link it.
file(GLOB server_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/server/*.c)
list(FILTER server_sources EXCLUDE REGEX "/(main|ssctl_main)\\.c$")
add_library(ss_server STATIC ${server_sources})
target_compile_definitions(ss_server PRIVATE SS_VERSION="${PROJECT_VERSION}")
include(docs)
target_link_libraries(ss_server PUBLIC ss_engine PRIVATE ss_settings ss_docs deps::yaml
                      ${CMAKE_DL_LIBS})

# Built-in applications are libraries named ss_app_NAME.
include(built_in_app)
ss_add_built_in_app(chat examples/chatdemo/v1/chat.proto)
ss_add_built_in_app(jobs examples/jobs/v1/jobs.proto)
ss_add_built_in_app(bench apps/bench/v1/bench.proto)
foreach(app chat jobs bench)
  # Applications call the library; only their users see more of it than the public headers.
  target_link_libraries(ss_app_${app} INTERFACE ss_engine)
  string(TOUPPER ${app} upper)
  target_compile_definitions(ss_server PRIVATE SS_APP_${upper})
  target_link_libraries(ss_server PRIVATE ss_app_${app})
endforeach()

foreach(program sessionstreamd ssctl)
  add_executable(${program})
  target_link_libraries(${program} PRIVATE ss_server ss_settings)
  install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endforeach()
target_sources(sessionstreamd PRIVATE ${CMAKE_SOURCE_DIR}/src/server/main.c)
target_compile_definitions(sessionstreamd PRIVATE SS_VERSION="${PROJECT_VERSION}")

# Modules (--app FILE) find the public functions in the daemon. So it holds all of the library,
# also what only they call, and exports what is public and nothing else (tools/check_symbols).
set(SS_MODULE_SYMBOLS ${CMAKE_SOURCE_DIR}/tools/cmake/module_symbols.list)
target_sources(sessionstreamd PRIVATE ${objects})
target_link_options(sessionstreamd PRIVATE LINKER:--dynamic-list=${SS_MODULE_SYMBOLS})
set_target_properties(sessionstreamd PROPERTIES LINK_DEPENDS ${SS_MODULE_SYMBOLS})

target_sources(ssctl PRIVATE ${CMAKE_SOURCE_DIR}/src/server/ssctl_main.c)

file(GLOB bench_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/*.c)
if(EXISTS ${CMAKE_SOURCE_DIR}/bench/ss_bench.c)
  add_executable(ss-bench ${bench_sources})
  target_include_directories(ss-bench PRIVATE ${CMAKE_SOURCE_DIR}/bench)
  target_link_libraries(ss-bench PRIVATE ss_engine ss_settings deps::lmdb)
  target_compile_definitions(ss-bench PRIVATE SS_VERSION="${PROJECT_VERSION}")
  sessionstream_add_proto(ss-bench ${CMAKE_SOURCE_DIR}/bench/bench.proto)
endif()

file(GLOB load_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/load/*.c)
add_executable(ss-load ${load_sources} ${CMAKE_SOURCE_DIR}/bench/histogram.c)
target_include_directories(ss-load PRIVATE ${CMAKE_SOURCE_DIR}/bench)
target_link_libraries(ss-load PRIVATE ss_server ss_settings deps::uv m)
install(TARGETS ss-load RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

include(program_lint)
