#include "lint/lint.h"

int main(int argc, char **argv)
{
    (void)argc;    /* argv ends with NULL */
    return ss__lint_main(argv, stdout, stderr);
}
