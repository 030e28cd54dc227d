#include "message/import.h"

#include <stdlib.h>
#include <string.h>

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "message/message.h"
#include "ss_test.h"

SS_TEST(import, events_are_copied_and_consecutive)
{
    char payload[] = "one";
    struct ss_failure failure = { 0 };
    struct ss_import *import = ss__import_new();
    ss_check(import != NULL);
    ss_check(ss__import_add(import, 5, 11, payload, ss_str(payload), NULL) == 0);
    memset(payload, 'x', sizeof payload - 1);
    ss_check(ss__import_add(import, 6, 0, NULL, ss_str("second"), NULL) == 0);
    ss_check(ss__import_add(import, 6, 0, NULL, ss_str(""), &failure) == SS_E_INVAL);
    ss_check(strstr(failure.text, "ordinal 6 follows ordinal 6") != NULL);
    ss_check(ss__import_add(import, 8, 0, NULL, ss_str(""), NULL) == SS_E_INVAL);
    ss_check(ss__import_add(import, 7, 0, NULL, ss_str(NULL), NULL) == 0);
    ss_check(import->first == 5 && import->count == 3 && ss__import_last(import) == 7);
    ss_check(ss_str_equal(ss__import_payload(import, 0), ss_str("one")));
    ss_check(ss_str_equal(ss__import_payload(import, 1), ss_str("second")));
    ss_check(ss__import_payload(import, 2).len == 0);
    ss_check(import->events[0].time_us == 11 && import->events[0].name == payload);
    ss__import_free(import);
    ss__import_free(NULL);
}

SS_TEST(import, ordinals_begin_with_one)
{
    struct ss_import *import = ss__import_new();
    ss_check(ss__import_add(import, 0, 0, NULL, ss_str("x"), NULL) == SS_E_INVAL);
    ss_check(ss__import_add(import, UINT64_MAX, 0, NULL, ss_str("x"), NULL) == SS_E_INVAL);
    ss_check(import->count == 0);
    ss__import_free(import);
}

SS_TEST(import, so_many_events_and_bytes_and_no_more)
{
    struct ss_import *import = ss__import_new();
    for (unsigned i = 1; i <= SS_IMPORT_EVENTS_MAX; i++) {
        ss_check(ss__import_add(import, i, 0, NULL, ss_str("x"), NULL) == 0);
    }
    ss_check(ss__import_add(import, SS_IMPORT_EVENTS_MAX + 1, 0, NULL, ss_str("x"), NULL) ==
             SS_E_LIMIT);
    ss__import_free(import);
    import = ss__import_new();
    char *big = calloc(1, SS_IMPORT_BYTES_MAX);
    ss_check(big != NULL);
    ss_check(ss__import_add(import, 1, 0, NULL, ss_str_of(big, SS_IMPORT_BYTES_MAX - 1), NULL) ==
             0);
    ss_check(ss__import_add(import, 2, 0, NULL, ss_str_of(big, 2), NULL) == SS_E_LIMIT);
    ss_check(ss__import_add(import, 2, 0, NULL, ss_str_of(big, 1), NULL) == 0);
    free(big);
    ss__import_free(import);
}

SS_TEST(import, the_request_counts_its_memory_and_frees_it)
{
    struct ss_import *import = ss__import_new();
    ss_check(ss__import_add(import, 1, 0, NULL, ss_str("payload"), NULL) == 0);
    struct ss_request *request = ss__request_new_import(ss_str("s"), import);
    ss_check(request != NULL && request->request == SS_REQUEST_IMPORT);
    ss_check(request->memory_bytes == sizeof *request + 1 + ss__import_bytes(import));
    ss_check(request->base.node.bytes == request->memory_bytes);
    ss__msg_free(&request->base);
}
