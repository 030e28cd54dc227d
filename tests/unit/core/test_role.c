#include "core/role.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "child_stderr.h"
#include "ss_test.h"

struct claim {
    enum ss_role is;
    uint32_t is_index;
    enum ss_role wanted;
    uint32_t wanted_index;
};

static void set_and_assert(void *context)
{
    const struct claim *claim = context;
    ss__role_set(claim->is, claim->is_index);
    ss__role_assert(claim->wanted, claim->wanted_index);
}

SS_TEST(role, the_right_thread_passes_and_any_other_ends_the_process)
{
    for (int bits = 0; bits < 3 * 3 * 2 * 2; bits++) {
        struct child_stderr child;
        struct claim claim = {
            .is = (enum ss_role)(bits % 3),
            .wanted = (enum ss_role)(bits / 3 % 3),
            .is_index = (uint32_t)(bits / 9 % 2),
            .wanted_index = (uint32_t)(bits / 18),
        };
        bool same = claim.is == claim.wanted && claim.is_index == claim.wanted_index;
        child_stderr_run(set_and_assert, &claim, &child);
        ss_check_msg(child.signal == (same ? 0 : SIGABRT), "claim %d", bits);
        ss_check((strstr(child.text, "requirement failed") != NULL) == !same);
    }
}

static void *be_other(void *argument)
{
    (void)argument;
    ss__role_assert(SS_ROLE_OTHER, 0);    /* nothing is inherited */
    return NULL;
}

static void *be_shard(void *argument)
{
    const uint32_t *index = argument;
    ss__role_set(SS_ROLE_SHARD, *index);
    for (int i = 0; i < 1000; i++) {
        ss__role_assert(SS_ROLE_SHARD, *index);
    }
    return NULL;
}

SS_TEST(role, every_thread_has_its_own)
{
    pthread_t threads[3];
    uint32_t indexes[2] = { 0, UINT32_MAX };
    ss__role_set(SS_ROLE_GATEWAY, 5);
    ss_check(pthread_create(&threads[0], NULL, be_shard, &indexes[0]) == 0);
    ss_check(pthread_create(&threads[1], NULL, be_shard, &indexes[1]) == 0);
    ss_check(pthread_create(&threads[2], NULL, be_other, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        ss_check(pthread_join(threads[i], NULL) == 0);
    }
    ss__role_assert(SS_ROLE_GATEWAY, 5);
    ss__role_set(SS_ROLE_OTHER, 0);
}
