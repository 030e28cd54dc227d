/* log.h - structured log: one logfmt line per record on standard error, one write each.
 *
 *     ts=2026-01-02T03:04:05.678Z level=info msg="shard opened" shard=0 sessions=12
 *
 * Fields are built by the caller as key=value text; values with spaces go through ss__log_quote.
 * Any thread; no allocation; a record is cut at 2 KiB, between two characters. */
#ifndef SS_CORE_LOG_H
#define SS_CORE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include <sessionstream/export.h>
#include <sessionstream/types.h>

enum ss_log_level { SS_LOG_ERROR, SS_LOG_WARN, SS_LOG_INFO, SS_LOG_DEBUG };

/* Records above @level are dropped. Default: SS_LOG_INFO. Set before threads start. */
void ss__log_set_level(enum ss_log_level level);
bool ss__log_enabled(enum ss_log_level level);

/* @message is a fixed sentence; @format gives the fields ("shard=%u ms=%u"); with none
 * the record ends after the message. */
void ss__log(enum ss_log_level level, const char *message, const char *format, ...)
    SS_PRINTF(3, 4);

/* A quoted, escaped copy of @text in @out[@cap], cut to fit between two characters; with less than
 * 3 bytes of room it is empty. Returns @out. Use as "key=%s". */
const char *ss__log_quote(char *out, size_t cap, struct ss_str text);

#endif
