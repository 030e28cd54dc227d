#include <sessionstream/error_records.h>

static const char *const words[SS_ERROR_KINDS] = {
#define SS_ERROR_KIND_WORD(name, number, word, about) [number] = word,
    SS_ERROR_KIND_MAP(SS_ERROR_KIND_WORD)
#undef SS_ERROR_KIND_WORD
};

const char *ss_error_kind_word(int kind)
{
    return kind >= 0 && kind < SS_ERROR_KINDS ? words[kind] : "";
}

int ss_error_kind_of(struct ss_str word)
{
    for (int kind = 0; kind < SS_ERROR_KINDS; kind++) {
        if (ss_str_equal(word, ss_str(words[kind]))) {
            return kind;
        }
    }
    return SS_E_NOTFOUND;
}
