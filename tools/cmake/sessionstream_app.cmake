# sessionstream_add_app(NAME SOURCES file... [PROTO file.proto...] [ASSETS file...]
#                       [IMPORT_DIR dir])
#
# Builds NAME.so, an application for `sessionstreamd --app ./NAME.so`: one of the sources defines
# ss_app_v1 (sessionstream/app.h). PROTO and IMPORT_DIR as in sessionstream_add_proto(): the
# generated code and the descriptor set become part of the module. Each of ASSETS (a page, a script)
# becomes an array
#     const uint8_t SYMBOL[]; const size_t SYMBOL_len;
# declared in "SYMBOL.h", where SYMBOL is the file name with '_' for what C has no names with:
# index_html for index.html.
#
# The module links nothing of sessionstream: the daemon that loads it has the functions. So a
# function that nobody has is found by `sessionstreamd --check-config --app ./NAME.so`.
function(sessionstream_add_app name)
  cmake_parse_arguments(ARG "" "IMPORT_DIR" "SOURCES;PROTO;ASSETS" ${ARGN})
  if(NOT ARG_SOURCES OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "sessionstream_add_app(${name}): give SOURCES file... and, if need be, "
      "PROTO file.proto..., ASSETS file..., IMPORT_DIR dir; not ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  add_library(${name} MODULE ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".so"
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_link_libraries(${name} PRIVATE sessionstream::headers)

  set(import_dir "")
  if(ARG_IMPORT_DIR)
    get_filename_component(ARG_IMPORT_DIR ${ARG_IMPORT_DIR} ABSOLUTE)
    set(import_dir IMPORT_DIR ${ARG_IMPORT_DIR})
  endif()
  foreach(proto IN LISTS ARG_PROTO)
    sessionstream_add_proto(${name} ${proto} ${import_dir})
  endforeach()

  set(out ${CMAKE_CURRENT_BINARY_DIR}/assets/${name})
  foreach(asset IN LISTS ARG_ASSETS)
    get_filename_component(asset ${asset} ABSOLUTE)
    get_filename_component(file_name ${asset} NAME)
    string(MAKE_C_IDENTIFIER ${file_name} symbol)
    file(MAKE_DIRECTORY ${out})
    add_custom_command(
      OUTPUT ${out}/${symbol}.c ${out}/${symbol}.h
      COMMAND ${CMAKE_COMMAND} -DINPUT=${asset} -DSYMBOL=${symbol} -DOUTPUT=${out}/${symbol}
              -P ${SESSIONSTREAM_EMBED_SCRIPT}
      DEPENDS ${asset} ${SESSIONSTREAM_EMBED_SCRIPT}
      COMMENT "Embedding ${file_name}"
      VERBATIM)
    target_sources(${name} PRIVATE ${out}/${symbol}.c ${out}/${symbol}.h)
    target_include_directories(${name} PRIVATE ${out})
  endforeach()
endfunction()
