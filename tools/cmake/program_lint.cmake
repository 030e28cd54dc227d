# ss-lint: src/lint. What judges needs the schema folder alone; what finds and runs applications needs
# the daemon's parts, and all of the library, since modules (--app FILE) find its functions there.
set(lint_outer ${CMAKE_SOURCE_DIR}/src/lint/collect.c ${CMAKE_SOURCE_DIR}/src/lint/lint.c)
file(GLOB lint_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/lint/*.c)
list(REMOVE_ITEM lint_sources ${lint_outer} ${CMAKE_SOURCE_DIR}/src/lint/main.c)
add_library(ss_lint_policy STATIC ${lint_sources})
target_link_libraries(ss_lint_policy PUBLIC ss_schema PRIVATE ss_settings)
add_library(ss_lint STATIC ${lint_outer})
target_compile_definitions(ss_lint PRIVATE SS_VERSION="${PROJECT_VERSION}")
target_link_libraries(ss_lint PUBLIC ss_lint_policy ss_server PRIVATE ss_settings)
set_target_properties(ss_lint_policy ss_lint PROPERTIES C_VISIBILITY_PRESET hidden)

add_executable(ss-lint ${CMAKE_SOURCE_DIR}/src/lint/main.c ${objects})
target_link_options(ss-lint PRIVATE LINKER:--dynamic-list=${SS_MODULE_SYMBOLS})
set_target_properties(ss-lint PROPERTIES LINK_DEPENDS ${SS_MODULE_SYMBOLS})
target_link_libraries(ss-lint PRIVATE ss_lint ss_settings)
install(TARGETS ss-lint RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
