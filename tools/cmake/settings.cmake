# Warnings and sanitizers reach our own targets only, never what is built beside them.
add_library(ss_settings INTERFACE)
target_compile_options(ss_settings INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings
  -Wpointer-arith -Wformat=2 -Wvla -Wundef -Wcast-qual -Wconversion -fno-omit-frame-pointer)
# Messages name files as the project does, wherever it was built.
target_compile_options(ss_settings INTERFACE -fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(SS_WERROR)
  target_compile_options(ss_settings INTERFACE -Werror)
endif()
target_compile_definitions(ss_settings INTERFACE _GNU_SOURCE)
if(SS_DEV_CHECKS)
  target_compile_definitions(ss_settings INTERFACE SS_DEV_CHECKS SS_FAULTS)
endif()
if(SS_SANITIZE)
  target_compile_options(ss_settings INTERFACE -fsanitize=${SS_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(ss_settings INTERFACE -fsanitize=${SS_SANITIZE})
  target_compile_definitions(ss_settings INTERFACE SS_SANITIZED)
endif()

if(SS_SANITIZE MATCHES "thread")
  add_library(ss_tsan_descriptors STATIC ${CMAKE_SOURCE_DIR}/tests/support/tsan_descriptors.c)
  target_compile_definitions(ss_tsan_descriptors PRIVATE _GNU_SOURCE)
  target_compile_options(ss_tsan_descriptors PRIVATE -fsanitize=thread)
  set_target_properties(ss_tsan_descriptors PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_options(ss_settings INTERFACE -Wl,--wrap=openat)
  target_link_libraries(ss_settings INTERFACE ss_tsan_descriptors)
endif()

# Generated code keeps its own habits.
add_library(ss_generated_settings INTERFACE)
target_compile_options(ss_generated_settings INTERFACE -w)
if(SS_SANITIZE)
  target_compile_options(ss_generated_settings INTERFACE -fsanitize=${SS_SANITIZE})
endif()
