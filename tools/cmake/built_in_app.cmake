# ss_add_built_in_app(NAME PROTO)
# The built-in application NAME: src/apps/NAME, its messages (PROTO, below proto/sessionstream) and
# the page of tools/web/NAME if there is one.
# Uses nothing but the public headers, so it links no layer: whoever links it brings the library.
function(ss_add_built_in_app name proto)
  set(page ${CMAKE_SOURCE_DIR}/tools/web/${name})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${name}-page/${name}_page)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/apps/${name}/*.c)
  file(GLOB files CONFIGURE_DEPENDS ${page}/*.html ${page}/*.js ${page}/*.css ${page}/*.svg)
  if(files)
    file(MAKE_DIRECTORY ${out})
  endif()

  set(embedded "")
  foreach(file IN LISTS files)
    get_filename_component(file_name ${file} NAME)
    string(REPLACE "." "_" symbol ${file_name})
    add_custom_command(
      OUTPUT ${out}/${symbol}.c ${out}/${symbol}.h
      COMMAND ${CMAKE_COMMAND} -DINPUT=${file} -DSYMBOL=${name}_${symbol}
              -DOUTPUT=${out}/${symbol} -P ${SESSIONSTREAM_EMBED_SCRIPT}
      DEPENDS ${file} ${SESSIONSTREAM_EMBED_SCRIPT}
      COMMENT "Embedding ${name}/${file_name}"
      VERBATIM)
    list(APPEND embedded ${out}/${symbol}.c ${out}/${symbol}.h)
  endforeach()

  add_library(ss_app_${name} STATIC ${sources} ${embedded})
  set_target_properties(ss_app_${name} PROPERTIES
    POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
  target_include_directories(ss_app_${name}
    PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
  if(files)
    target_include_directories(ss_app_${name} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/${name}-page)
  endif()
  target_link_libraries(ss_app_${name} PRIVATE ss_settings PUBLIC deps::protobuf_c)
  sessionstream_add_proto(ss_app_${name} ${CMAKE_SOURCE_DIR}/proto/sessionstream/${proto}
                          IMPORT_DIR ${CMAKE_SOURCE_DIR}/proto)
endfunction()
