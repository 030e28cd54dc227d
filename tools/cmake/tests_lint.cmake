# Tests of src/lint, and ss-lint over our own messages.

# Message types with the places in their sources, as NAME_set[] in "NAME.h".
set(lint_protos ${CMAKE_SOURCE_DIR}/tests/unit/lint)
set(lint_out ${CMAKE_CURRENT_BINARY_DIR}/lint-sets)
file(MAKE_DIRECTORY ${lint_out})
set(lint_embedded "")
foreach(set style:style old_evolve:old/evolve new_evolve:new/evolve old_legacy:old/legacy
            new_legacy:new/legacy)
  string(REGEX REPLACE ":.*" "" name ${set})
  set(proto ${lint_protos}/${set}.proto)
  string(REPLACE "/${name}:" "/" proto ${proto})
  get_filename_component(dir ${proto} DIRECTORY)
  add_custom_command(
    OUTPUT ${lint_out}/${name}.binpb ${lint_out}/${name}.c ${lint_out}/${name}.h
    COMMAND ${PROTOC} --descriptor_set_out=${lint_out}/${name}.binpb --include_imports
            --include_source_info -I ${dir} ${proto}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${lint_out}/${name}.binpb -DSYMBOL=${name}_set
            -DOUTPUT=${lint_out}/${name} -P ${SESSIONSTREAM_EMBED_SCRIPT}
    DEPENDS ${proto} ${SESSIONSTREAM_EMBED_SCRIPT}
    COMMENT "Generating the descriptor set ${name}"
    VERBATIM)
  list(APPEND lint_embedded ${lint_out}/${name}.c)
endforeach()
add_library(lint_sets STATIC ${lint_embedded})
target_link_libraries(lint_sets PRIVATE ss_generated_settings)
target_include_directories(lint_sets PUBLIC ${lint_out})

# A module with one mistake of each sort.
sessionstream_add_app(lint_module SOURCES ${lint_protos}/module.c)
set_target_properties(lint_module PROPERTIES
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/lint)
set_target_properties(lint_sets PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_link_libraries(lint_module PRIVATE ss_settings lint_sets)

file(GLOB sources CONFIGURE_DEPENDS ${lint_protos}/test_*.c)
foreach(source IN LISTS sources)
  get_filename_component(name ${source} NAME_WE)
  ss_add_test(lint_${name} ${source} LIBS ss_lint lint_sets)
endforeach()
target_compile_definitions(lint_test_lint PRIVATE SS_LINT_SETS="${lint_out}")

# The program, and what it says about the messages of this project.
add_test(NAME lint_program
  COMMAND ${CMAKE_SOURCE_DIR}/tests/integration/lint/run $<TARGET_FILE:ss-lint>
          $<TARGET_FILE:lint_module> ${lint_out} ${CMAKE_SOURCE_DIR})
add_test(NAME lint_own_protos
  COMMAND ${CMAKE_SOURCE_DIR}/tools/lint_protos $<TARGET_FILE:ss-lint> $<TARGET_FILE:counter>)
set_tests_properties(lint_program lint_own_protos PROPERTIES TIMEOUT 120)
