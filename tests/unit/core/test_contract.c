#include "core/contract.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "child_stderr.h"
#include "ss_test.h"

static int evaluated;

static int count(int value)
{
    evaluated++;
    return value;
}

enum { REQUIRE_LINE = __LINE__ + 5 };

static void require(void *context)
{
    (void)context;
    SS_REQUIRE(count(2) == 3);
}

static void insist(void *context)
{
    (void)context;
    SS_INSIST(count(0));
}

SS_TEST(contract, a_kept_one_is_evaluated_once_and_goes_on)
{
    evaluated = 0;
    SS_REQUIRE(count(1) == 1);
    ss_check(evaluated == 1);
    SS_INSIST(count(7) == 7);
    ss_check(evaluated == 2);
}

SS_TEST(contract, a_broken_requirement_ends_the_process_and_names_its_place)
{
    struct child_stderr child;
    char place[96];
    child_stderr_run(require, NULL, &child);
    ss_check(child.signal == SIGABRT);
    (void)snprintf(place, sizeof place, "test_contract.c:%d: requirement failed: count(2) == 3\n",
                   REQUIRE_LINE);
    ss_check_msg(strstr(child.text, place) != NULL, "%s", child.text);
}

SS_TEST(contract, a_broken_invariant_says_that_it_is_our_fault)
{
    struct child_stderr child;
    child_stderr_run(insist, NULL, &child);
    ss_check(child.signal == SIGABRT);
    ss_check(strstr(child.text, ": invariant failed: count(0)\n") != NULL);
}

SS_TEST(contract, a_development_check_is_compiled_but_never_run_in_release)
{
    evaluated = 0;
    SS_DEV_CHECK(count(1) == 1);
#ifdef SS_DEV_CHECKS
    ss_check(evaluated == 1);
#else
    ss_check(evaluated == 0);
#endif
}

struct outer {
    long before;
    char member[3];
};

SS_TEST(contract, the_container_of_a_member_is_found)
{
    struct outer outer;
    ss_check(ss__container_of(&outer.member, struct outer, member) == &outer);
    ss_check(ss__container_of(&outer.before, struct outer, before) == &outer);
}
