# The built-in application "chat": src/apps/chat, its messages and its page.
# Uses nothing but the public headers, so it links no layer: whoever links it brings the library.
set(SS_CHAT_PAGE ${CMAKE_SOURCE_DIR}/tools/web/chat)
set(SS_CHAT_PAGE_OUT ${CMAKE_CURRENT_BINARY_DIR}/chat-page/chat_page)

file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/apps/chat/*.c)
file(GLOB files CONFIGURE_DEPENDS ${SS_CHAT_PAGE}/*.html ${SS_CHAT_PAGE}/*.js ${SS_CHAT_PAGE}/*.css
     ${SS_CHAT_PAGE}/*.svg)
file(MAKE_DIRECTORY ${SS_CHAT_PAGE_OUT})

set(embedded "")
set(embedded_headers "")
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME)
  string(REPLACE "." "_" symbol ${name})
  add_custom_command(
    OUTPUT ${SS_CHAT_PAGE_OUT}/${symbol}.c ${SS_CHAT_PAGE_OUT}/${symbol}.h
    COMMAND ${CMAKE_COMMAND} -DINPUT=${file} -DSYMBOL=chat_${symbol}
            -DOUTPUT=${SS_CHAT_PAGE_OUT}/${symbol} -P ${SESSIONSTREAM_EMBED_SCRIPT}
    DEPENDS ${file} ${SESSIONSTREAM_EMBED_SCRIPT}
    COMMENT "Embedding chat/${name}"
    VERBATIM)
  list(APPEND embedded ${SS_CHAT_PAGE_OUT}/${symbol}.c)
  list(APPEND embedded_headers ${SS_CHAT_PAGE_OUT}/${symbol}.h)
endforeach()

add_library(ss_app_chat STATIC ${sources} ${embedded} ${embedded_headers})
set_target_properties(ss_app_chat PROPERTIES
  POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
target_include_directories(ss_app_chat
  PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src
  PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/chat-page)
target_link_libraries(ss_app_chat PRIVATE ss_settings PUBLIC deps::protobuf_c)
sessionstream_add_proto(ss_app_chat
  ${CMAKE_SOURCE_DIR}/proto/sessionstream/examples/chatdemo/v1/chat.proto
  IMPORT_DIR ${CMAKE_SOURCE_DIR}/proto)
