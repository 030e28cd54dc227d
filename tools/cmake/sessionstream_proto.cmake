# sessionstream_add_proto(TARGET file.proto [IMPORT_DIR dir] [DESCRIPTOR_ONLY])
#
# Adds to TARGET the protobuf-c code of the file (unless DESCRIPTOR_ONLY: for files that protoc-c
# refuses, such as those with proto3 optional) and its FileDescriptorSet (with imports) as
#     const uint8_t NAME_descriptor_set[]; const size_t NAME_descriptor_set_len;
# declared in "NAME.descriptor.h", where NAME is the file name without .proto. The generated
# headers are found under their path relative to IMPORT_DIR (default: the file's directory).
find_program(PROTOC_C protoc-c REQUIRED)
find_program(PROTOC protoc REQUIRED)
set(SESSIONSTREAM_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/embed.cmake)

function(sessionstream_add_proto target proto)
  cmake_parse_arguments(ARG "DESCRIPTOR_ONLY" "IMPORT_DIR" "" ${ARGN})
  get_filename_component(proto ${proto} ABSOLUTE)
  get_filename_component(name ${proto} NAME_WE)
  get_filename_component(dir ${proto} DIRECTORY)
  if(NOT ARG_IMPORT_DIR)
    set(ARG_IMPORT_DIR ${dir})
  endif()
  file(RELATIVE_PATH relative_dir ${ARG_IMPORT_DIR} ${dir})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/proto-gen/${target})
  set(base ${out}/${relative_dir})
  file(MAKE_DIRECTORY ${base})
  set(code "")
  if(NOT ARG_DESCRIPTOR_ONLY)
    set(code ${base}/${name}.pb-c.c)
    add_custom_command(
      OUTPUT ${base}/${name}.pb-c.c ${base}/${name}.pb-c.h
      COMMAND ${PROTOC_C} --c_out=${out} -I ${ARG_IMPORT_DIR} ${proto}
      DEPENDS ${proto}
      COMMENT "Generating ${name}.pb-c"
      VERBATIM)
  endif()
  add_custom_command(
    OUTPUT ${base}/${name}.binpb ${base}/${name}.descriptor.c ${base}/${name}.descriptor.h
    COMMAND ${PROTOC} --descriptor_set_out=${base}/${name}.binpb --include_imports
            -I ${ARG_IMPORT_DIR} ${proto}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${base}/${name}.binpb -DSYMBOL=${name}_descriptor_set
            -DOUTPUT=${base}/${name}.descriptor -P ${SESSIONSTREAM_EMBED_SCRIPT}
    DEPENDS ${proto} ${SESSIONSTREAM_EMBED_SCRIPT}
    COMMENT "Generating the descriptor set of ${name}"
    VERBATIM)
  add_library(${target}_${name}_proto OBJECT ${code} ${base}/${name}.descriptor.c)
  set_target_properties(${target}_${name}_proto PROPERTIES
    POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
  if(TARGET ss_generated_settings)
    target_link_libraries(${target}_${name}_proto PRIVATE ss_generated_settings)
  endif()
  target_include_directories(${target}_${name}_proto PUBLIC ${out})
  target_link_libraries(${target}_${name}_proto PUBLIC PkgConfig::PROTOBUF_C)
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_${name}_proto>)
  target_include_directories(${target} SYSTEM PUBLIC $<BUILD_INTERFACE:${out}>)
  add_dependencies(${target} ${target}_${name}_proto)
endfunction()
