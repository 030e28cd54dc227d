#include "server/interrupts.h"

#include <signal.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

void ss__interrupts_catch(void)
{
    struct sigaction action = { .sa_handler = on_interrupt };    /* without SA_RESTART */
    interrupted = 0;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);    /* cannot fail for these signals */
    (void)sigaction(SIGTERM, &action, NULL);
}

bool ss__interrupted(void)
{
    return interrupted != 0;
}
