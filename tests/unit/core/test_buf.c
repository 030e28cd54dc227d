#include "core/buf.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "ss_test.h"

#define HOLDERS 4
#define ROUNDS 20000

struct holder {
    pthread_t thread;
    struct ss_buf *buf;
    bool intact;
};

SS_TEST(buf, a_copy_does_not_change_with_its_source)
{
    char source[] = "a\0b";
    struct ss_buf *buf = ss__buf_copy(source, 3);
    source[0] = 'x';
    ss_check(buf != NULL && buf->len == 3 && memcmp(buf->data, "a\0b", 3) == 0);
    ss_check(atomic_load(&buf->refs) == 1);
    ss__buf_unref(buf);
}

SS_TEST(buf, every_byte_of_a_new_one_may_be_written)
{
    for (size_t len = 0; len < 300; len++) {
        struct ss_buf *buf = ss__buf_new(len);
        ss_check(buf != NULL && buf->len == len);
        memset(buf->data, 0xAB, len);
        ss__buf_unref(buf);
    }
}

SS_TEST(buf, nothing_is_a_content_too)
{
    struct ss_buf *buf = ss__buf_copy(NULL, 0);
    ss_check(buf != NULL && buf->len == 0);
    ss__buf_unref(buf);
    ss__buf_unref(NULL);
}

SS_TEST(buf, a_length_that_its_field_cannot_hold_is_refused)
{
    ss_check(ss__buf_new((size_t)UINT32_MAX + 1) == NULL);
    ss_check(ss__buf_new(SIZE_MAX) == NULL);
    ss_check(ss__buf_copy("x", (size_t)UINT32_MAX + 1) == NULL);
}

static void *hold(void *argument)
{
    struct holder *holder = argument;
    holder->intact = true;
    for (int i = 0; i < ROUNDS; i++) {
        struct ss_buf *more = ss__buf_ref(holder->buf);
        holder->intact = holder->intact && more == holder->buf && more->data[0] == 'x';
        ss__buf_unref(more);
    }
    ss__buf_unref(holder->buf);
    return NULL;
}

SS_TEST(buf, threads_share_it_and_only_the_last_holder_frees)
{
    struct ss_buf *buf = ss__buf_copy("x", 1);
    struct holder holders[HOLDERS];
    for (int i = 0; i < HOLDERS; i++) {
        holders[i] = (struct holder){ .buf = ss__buf_ref(buf) };
        ss_check(pthread_create(&holders[i].thread, NULL, hold, &holders[i]) == 0);
    }
    for (int i = 0; i < HOLDERS; i++) {
        ss_check(pthread_join(holders[i].thread, NULL) == 0);
        ss_check(holders[i].intact);
    }
    ss_check(atomic_load(&buf->refs) == 1 && buf->data[0] == 'x');
    ss__buf_unref(buf);    /* a lost reference is a leak, one too few a use after free */
}
