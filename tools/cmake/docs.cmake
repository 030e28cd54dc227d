# ss_docs: the pages of docs/ that docs/topics.txt lists, for help and for /docs/. They are rendered
# here, so that the daemon has no Markdown parser.
pkg_check_modules(CMARK_GFM REQUIRED IMPORTED_TARGET libcmark-gfm)
ss_plain_library(cmark_gfm_extensions cmark-gfm-core-extensions.h cmark-gfm-extensions)

# The tool runs while building, so it goes without the sanitizers of our programs.
file(GLOB docs_tool CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/docs/*.c)
add_executable(docs_pages ${docs_tool})
target_compile_definitions(docs_pages PRIVATE _GNU_SOURCE)
target_compile_options(docs_pages PRIVATE -Wall -Wextra -Wshadow -Wstrict-prototypes
  -Wmissing-prototypes $<$<BOOL:${SS_WERROR}>:-Werror>)
target_link_libraries(docs_pages PRIVATE deps::cmark_gfm_extensions PkgConfig::CMARK_GFM)

set(SS_DOCS_OUT ${CMAKE_CURRENT_BINARY_DIR}/docs)
set(docs_style ${CMAKE_SOURCE_DIR}/tools/web/docs/style.css)
file(GLOB docs_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/*.md)
file(MAKE_DIRECTORY ${SS_DOCS_OUT})
add_custom_command(
  OUTPUT ${SS_DOCS_OUT}/docs_text.c ${SS_DOCS_OUT}/docs_files.c
  COMMAND docs_pages ${CMAKE_SOURCE_DIR}/docs ${docs_style} ${SS_DOCS_OUT}/docs_text.c
          ${SS_DOCS_OUT}/docs_files.c
  DEPENDS docs_pages ${docs_style} ${docs_sources} ${CMAKE_SOURCE_DIR}/docs/topics.txt
  COMMENT "Rendering docs/"
  VERBATIM)
add_library(ss_docs STATIC ${SS_DOCS_OUT}/docs_text.c ${SS_DOCS_OUT}/docs_files.c)
target_include_directories(ss_docs PRIVATE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(ss_docs PRIVATE ss_settings)
