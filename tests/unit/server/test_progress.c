#include "server/progress.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ss_test.h"

SS_TEST(progress, sizes_have_units)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = { { 0, "0 B" },          { 1023, "1023 B" },       { 1024, "1.0 KiB" },
                  { 1536, "1.5 KiB" },   { 10u << 20, "10.0 MiB" }, { UINT64_C(1) << 40, "1.0 TiB" },
                  { UINT64_C(1) << 52, "4096.0 TiB" } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char text[SS_PROGRESS_SIZE_BYTES];
        ss__progress_size(text, sizes[i].bytes);
        ss_check_msg(strcmp(text, sizes[i].text) == 0, "%s", text);
    }
}

SS_TEST(progress, nothing_is_shown_where_there_is_no_terminal)
{
    char *text = NULL;
    size_t len = 0;
    struct ss_progress progress;
    FILE *out = open_memstream(&text, &len);
    ss_check(out != NULL);
    ss__progress_begin(&progress, out, "copied", 100);
    progress.done = 50;
    ss__progress_show(&progress, "");
    ss__progress_end(&progress);
    ss_check(fclose(out) == 0 && len == 0);
    free(text);
}

SS_TEST(progress, a_terminal_gets_one_line_now_and_then)
{
    struct ss_progress progress;
    char text[1024] = "";
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    ss_check(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    FILE *out = fopen(ptsname(master), "w");
    ss_check(out != NULL);
    ss__progress_begin(&progress, out, "copied", 4096);
    progress.done = 1024;
    ss__progress_show(&progress, "shard 1 of 2");
    uint64_t first_ns = progress.shown_ns;
    progress.done = 2048;
    ss__progress_show(&progress, "too soon");
    ss__progress_end(&progress);
    ssize_t got = read(master, text, sizeof text - 1);
    ss_check(got > 0);
    ss_check_msg(strstr(text, "[#######.......................]  25 % 1.0 KiB of 4.0 KiB copied") !=
                     NULL && strstr(text, ", shard 1 of 2") != NULL, "%s", text);
    /* Unless this process had to wait so long for a processor that it was not. */
    ss_check(strstr(text, "too soon") == NULL || progress.shown_ns - first_ns >= 100000000);
    (void)fclose(out);
    (void)close(master);
}
