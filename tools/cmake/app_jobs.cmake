# The built-in application "jobs": src/apps/jobs, its messages and its page.
# Uses nothing but the public headers, so it links no layer: whoever links it brings the library.
set(SS_JOBS_PAGE ${CMAKE_SOURCE_DIR}/tools/web/jobs)
set(SS_JOBS_PAGE_OUT ${CMAKE_CURRENT_BINARY_DIR}/jobs-page/jobs_page)

file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/apps/jobs/*.c)
file(GLOB files CONFIGURE_DEPENDS ${SS_JOBS_PAGE}/*.html ${SS_JOBS_PAGE}/*.js ${SS_JOBS_PAGE}/*.css
     ${SS_JOBS_PAGE}/*.svg)
file(MAKE_DIRECTORY ${SS_JOBS_PAGE_OUT})

set(embedded "")
set(embedded_headers "")
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME)
  string(REPLACE "." "_" symbol ${name})
  add_custom_command(
    OUTPUT ${SS_JOBS_PAGE_OUT}/${symbol}.c ${SS_JOBS_PAGE_OUT}/${symbol}.h
    COMMAND ${CMAKE_COMMAND} -DINPUT=${file} -DSYMBOL=jobs_${symbol}
            -DOUTPUT=${SS_JOBS_PAGE_OUT}/${symbol} -P ${SESSIONSTREAM_EMBED_SCRIPT}
    DEPENDS ${file} ${SESSIONSTREAM_EMBED_SCRIPT}
    COMMENT "Embedding jobs/${name}"
    VERBATIM)
  list(APPEND embedded ${SS_JOBS_PAGE_OUT}/${symbol}.c)
  list(APPEND embedded_headers ${SS_JOBS_PAGE_OUT}/${symbol}.h)
endforeach()

add_library(ss_app_jobs STATIC ${sources} ${embedded} ${embedded_headers})
set_target_properties(ss_app_jobs PROPERTIES
  POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
target_include_directories(ss_app_jobs
  PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src
  PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/jobs-page)
target_link_libraries(ss_app_jobs PRIVATE ss_settings PUBLIC deps::protobuf_c)
sessionstream_add_proto(ss_app_jobs
  ${CMAKE_SOURCE_DIR}/proto/sessionstream/examples/jobs/v1/jobs.proto
  IMPORT_DIR ${CMAKE_SOURCE_DIR}/proto)
