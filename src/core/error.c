#include <sessionstream/error.h>

const char *ss_error_text(int err)
{
    switch (err) {
#define SS_ERROR_CASE(name, number, wire, text) \
    case number:                                \
        return text;
        SS_ERROR_MAP(SS_ERROR_CASE)
#undef SS_ERROR_CASE
    case 0:
        return "success";
    default:
        return "unknown error";
    }
}

const char *ss_error_name(int err)
{
    switch (err) {
#define SS_ERROR_CASE(name, number, wire, text) \
    case number:                                \
        return "SS_E_" #name;
        SS_ERROR_MAP(SS_ERROR_CASE)
#undef SS_ERROR_CASE
    case 0:
        return "SS_OK";
    default:
        return "SS_E_?";
    }
}

const char *ss_error_wire_name(int err)
{
    switch (err) {
#define SS_ERROR_CASE(name, number, wire, text) \
    case number:                                \
        return wire;
        SS_ERROR_MAP(SS_ERROR_CASE)
#undef SS_ERROR_CASE
    default:
        return "internal";
    }
}
