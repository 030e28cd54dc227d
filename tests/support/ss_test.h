/* ss_test.h - one spelling for unit tests, two runners.
 *
 * Criterion gives every case its own process but cannot start under ThreadSanitizer, so the tsan
 * preset builds the same files with the in-process runner of plain_main.c. */
#ifndef SS_TEST_H
#define SS_TEST_H

/* A test that goes on for so long is ended, and has failed; by ctest, where the runner ends none. */
#ifndef SS_TEST_SECONDS
#define SS_TEST_SECONDS 120
#endif

#ifndef SS_TEST_PLAIN
#include <criterion/criterion.h>

#define SS_TEST(suite, name) Test(suite, name, .timeout = SS_TEST_SECONDS)
#define ss_check(expr) cr_assert(expr)
#define ss_check_msg(expr, ...) cr_assert(expr, __VA_ARGS__)
#else
#include <stdio.h>
#include <stdlib.h>

struct ss_test {
    const char *suite;
    const char *name;
    void (*run)(void);
    struct ss_test *next;
};

extern struct ss_test *ss_tests;

#define SS_TEST(suite_, name_)                                                             \
    static void run_##suite_##_##name_(void);                                              \
    __attribute__((constructor)) static void add_##suite_##_##name_(void)                  \
    {                                                                                      \
        static struct ss_test self = { #suite_, #name_, run_##suite_##_##name_, NULL };    \
        self.next = ss_tests;                                                              \
        ss_tests = &self;                                                                  \
    }                                                                                      \
    static void run_##suite_##_##name_(void)
#define ss_check(expr)                                                                     \
    ((expr) ? (void)0                                                                      \
            : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #expr), abort()))
#define ss_check_msg(expr, ...)                                                            \
    ((expr) ? (void)0                                                                      \
            : (fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #expr),                  \
               fprintf(stderr, __VA_ARGS__), abort()))
#endif

#endif
