#include "server/ssctl.h"

int main(int argc, char **argv)
{
    (void)argc;    /* argv ends with NULL */
    return ss__ctl_main(argv, stdout, stderr);
}
