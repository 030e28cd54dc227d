/* fuzz.h - what every target in this folder is: one function over any bytes that aborts when a
 * promise is broken (ss_check). libFuzzer calls it in the preset `fuzz`, replay.c in all others. */
#ifndef SS_TEST_FUZZ_H
#define SS_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ss_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
