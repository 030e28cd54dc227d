#include "ss_test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "server/file_bytes.h"

static void make_file(char *path, size_t len)
{
    int fd = mkstemp(path);
    ss_check(fd >= 0);
    for (size_t i = 0; i < len; i++) {
        char byte = (char)i;
        ss_check(write(fd, &byte, 1) == 1);
    }
    ss_check(close(fd) == 0);
}

SS_TEST(file_bytes, a_file_is_read_whole_up_to_the_limit)
{
    char path[] = "/tmp/ss_file_bytes_XXXXXX";
    struct ss_bytes out;
    struct ss_failure failure = { 0 };
    make_file(path, 5000);
    ss__bytes_init(&out, 5000);
    ss_check(ss__file_bytes_load(path, &out, &failure) == 0);
    ss_check(out.len == 5000 && out.data[4999] == (uint8_t)4999);
    ss__bytes_deinit(&out);
    ss__bytes_init(&out, 4999);
    ss_check(ss__file_bytes_load(path, &out, &failure) == SS_E_TOOBIG);
    ss_check(strstr(failure.text, "4999 bytes") != NULL);
    ss__bytes_deinit(&out);
    ss_check(unlink(path) == 0);
}

SS_TEST(file_bytes, what_cannot_be_read_is_an_error_with_the_reason)
{
    struct ss_bytes out;
    struct ss_failure failure = { 0 };
    ss__bytes_init(&out, 0);
    ss_check(ss__file_bytes_load("/nonexistent", &out, &failure) == SS_E_IO);
    ss_check(strstr(failure.text, "cannot be opened: No such file") != NULL);
    ss_check(ss__file_bytes_load("/tmp", &out, &failure) == SS_E_IO);
    ss_check(strstr(failure.text, "cannot be read") != NULL);
    ss__bytes_deinit(&out);
}
