#include "ss_test.h"

struct ss_test *ss_tests;

int main(void)
{
    unsigned passed = 0;
    for (struct ss_test *test = ss_tests; test != NULL; test = test->next) {
        fprintf(stderr, "run %s/%s\n", test->suite, test->name);
        test->run();
        passed++;
    }
    printf("%u passed, 0 failed\n", passed);
    return passed == 0;
}
