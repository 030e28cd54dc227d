#include "message/metrics.h"

#include <stdbool.h>
#include <string.h>

#include "ss_test.h"

static const struct ss_metric *find(const char *name)
{
    for (size_t i = 0; i < ss__metrics_count; i++) {
        if (strcmp(ss__metrics[i].name, name) == 0) {
            return &ss__metrics[i];
        }
    }
    return NULL;
}

SS_TEST(metrics, each_is_there_once_and_named_as_prometheus_wants_it)
{
    for (size_t i = 0; i < ss__metrics_count; i++) {
        const struct ss_metric *metric = &ss__metrics[i];
        size_t len = strlen(metric->name);
        bool total = len > 6 && strcmp(metric->name + len - 6, "_total") == 0;
        ss_check_msg(find(metric->name) == metric, "%s is there twice", metric->name);
        ss_check_msg(total == (strcmp(metric->type, "counter") == 0), "%s", metric->name);
        ss_check_msg(strspn(metric->name, "abcdefghijklmnopqrstuvwxyz_") == len, "%s",
                     metric->name);
        ss_check(metric->help[0] != '\0' && strpbrk(metric->help, "\n\\") == NULL);
    }
}

SS_TEST(metrics, the_unit_is_in_the_name)
{
    ss_check(strcmp(ss__metric_unit(find("session_state_bytes")), "bytes") == 0);
    ss_check(strcmp(ss__metric_unit(find("bytes_in_total")), "bytes") == 0);
    ss_check(strcmp(ss__metric_unit(find("commit_seconds")), "seconds") == 0);
    ss_check(strcmp(ss__metric_unit(find("events_total")), "1") == 0);
}
