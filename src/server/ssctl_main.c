#include "server/ssctl.h"
#include "server/standard_files.h"

int main(int argc, char **argv)
{
    (void)argc;    /* argv ends with NULL */
    return ss__standard_files_keep() ? ss__ctl_main(argv, stdout, stderr) : SS_CTL_FAILED;
}
