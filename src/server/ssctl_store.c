#include "server/ssctl.h"

int ss__ctl_store_check(const struct ss_ctl *ctl)
{
    fprintf(ctl->err, "ssctl: store check is not built in\n");
    return SS_CTL_USAGE;
}
