#include "core/fault.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <sessionstream/error.h>

#include "child_stderr.h"
#include "ss_test.h"

#define POINTS_MAX 16
#define THREADS 4
#define PASSES 5000

SS_TEST(fault, nothing_fails_that_was_not_armed)
{
    ss__fault_reset();
    ss_check(SS_FAULT("core.one") == 0);
    ss__fault_arm("core.other", 1, 1, SS_E_IO);
    ss_check(SS_FAULT("core.one") == 0 && SS_FAULT("core.othe") == 0);
    ss_check(SS_FAULT("core.other") == SS_E_IO);
    ss__fault_reset();
}

SS_TEST(fault, the_wanted_passes_fail_and_no_others)
{
    for (unsigned after = 1; after < 5; after++) {
        for (unsigned times = 0; times < 4; times++) {
            ss__fault_arm("core.pass", after, times, SS_E_NOMEM);
            for (unsigned pass = 1; pass < 12; pass++) {
                bool hit = pass >= after && pass < after + times;
                ss_check_msg(SS_FAULT("core.pass") == (hit ? SS_E_NOMEM : 0),
                             "after %u times %u: pass %u", after, times, pass);
            }
        }
    }
    ss__fault_reset();
}

SS_TEST(fault, points_count_separately_and_arming_again_starts_over)
{
    ss__fault_arm("core.a", 2, 1, SS_E_IO);
    ss__fault_arm("core.b", 1, 2, SS_E_NOMEM);
    ss_check(SS_FAULT("core.b") == SS_E_NOMEM);
    ss_check(SS_FAULT("core.a") == 0);
    ss__fault_arm("core.a", 2, 1, SS_E_STOREFULL);
    ss_check(SS_FAULT("core.a") == 0 && SS_FAULT("core.a") == SS_E_STOREFULL);
    ss_check(SS_FAULT("core.b") == SS_E_NOMEM && SS_FAULT("core.b") == 0);
    ss__fault_reset();
}

SS_TEST(fault, a_disarmed_or_forgotten_point_passes)
{
    ss__fault_arm("core.a", 1, 5, SS_E_IO);
    ss__fault_arm("core.a", 1, 0, SS_E_IO);
    ss_check(SS_FAULT("core.a") == 0);
    ss__fault_arm("core.a", 1, 5, SS_E_IO);
    ss__fault_arm("core.b", 1, 5, SS_E_IO);
    ss__fault_reset();
    ss_check(SS_FAULT("core.a") == 0 && SS_FAULT("core.b") == 0);
}

static void arm_points(void *context)
{
    static char names[POINTS_MAX + 1][16];
    int count = *(const int *)context;
    for (int i = 0; i < count; i++) {
        (void)snprintf(names[i], sizeof names[i], "p%d", i);
        ss__fault_arm(names[i], 1, 1, SS_E_IO - i);
    }
    for (int i = count; i-- > 0;) {
        ss_check(SS_FAULT(names[i]) == SS_E_IO - i && SS_FAULT(names[i]) == 0);
    }
}

SS_TEST(fault, sixteen_points_are_room_enough_and_one_more_is_the_tests_mistake)
{
    struct child_stderr child;
    int count = POINTS_MAX;
    ss__fault_reset();
    arm_points(&count);
    ss__fault_reset();
    arm_points(&count);
    ss__fault_reset();
    count++;
    child_stderr_run(arm_points, &count, &child);
    ss_check(child.signal == SIGABRT && strstr(child.text, "requirement failed") != NULL);
}

static void *pass(void *argument)
{
    unsigned *hits = argument;
    for (int i = 0; i < PASSES; i++) {
        *hits += SS_FAULT("core.shared") == SS_E_IO;
    }
    return NULL;
}

SS_TEST(fault, threads_share_one_countdown)
{
    pthread_t threads[THREADS];
    unsigned hits[THREADS] = { 0 };
    unsigned sum = 0;
    ss__fault_arm("core.shared", PASSES, 1234, SS_E_IO);
    for (int i = 0; i < THREADS; i++) {
        ss_check(pthread_create(&threads[i], NULL, pass, &hits[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ss_check(pthread_join(threads[i], NULL) == 0);
        sum += hits[i];
    }
    ss_check_msg(sum == 1234, "%u", sum);
    ss_check(SS_FAULT("core.shared") == 0);
    ss__fault_reset();
}
