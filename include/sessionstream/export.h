/* export.h - symbol visibility and compiler attributes of the public API. */
#ifndef SS_EXPORT_H
#define SS_EXPORT_H

#if defined(__GNUC__)
#define SS_API __attribute__((visibility("default")))
#define SS_NODISCARD __attribute__((warn_unused_result))
#define SS_PRINTF(format_index, first_index) \
    __attribute__((format(printf, format_index, first_index)))
#else
#define SS_API
#define SS_NODISCARD
#define SS_PRINTF(format_index, first_index)
#endif

#endif
