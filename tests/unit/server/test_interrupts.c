#include "server/interrupts.h"

#include <signal.h>

#include "ss_test.h"

SS_TEST(interrupts, tell_of_each_signal_and_end_nothing)
{
    static const int signals[] = { SIGINT, SIGTERM };
    for (int i = 0; i < 2; i++) {
        ss__interrupts_catch();
        ss_check(!ss__interrupted());
        ss_check(raise(signals[i]) == 0);
        ss_check(ss__interrupted() && ss__interrupted());
    }
}
