/* session events, session export: a line of JSON for each stored event, as session import takes
 * them. */
#include <stdio.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "server/json_members.h"
#include "server/option_value.h"
#include "server/ssctl.h"

struct listing {
    const struct ss_ctl *ctl;
    uint64_t after;
    uint64_t left;          /* to be printed */
    bool more;              /* there are */
    bool raw;               /* with the bytes as stored */
    struct ss_bytes line;
    struct ss_bytes ordinal;
};

static int fail(const struct listing *listing, int err, const char *text)
{
    struct ss_failure failure = { 0 };
    (void)ss__fail(&failure, err, "%s", text);
    return ss__ctl_fail(listing->ctl, &failure);
}

/* The answer in @in has been printed: of a session that has lost its first events an import could
 * not make the entities again. */
static void explain_gone(const struct listing *listing, const struct ss_bytes *in)
{
    static const char code[] = "\"code\":\"gone\"";
    if (listing->raw && in->len > 0 && memmem(in->data, in->len, code, sizeof code - 1) != NULL) {
        fprintf(listing->ctl->err, "ssctl: an export has no entities as of events that retention "
                "has dropped, so the rest alone cannot be imported: ssctl backup and restore, and "
                "reshard, take such a session along whole; --after prints what is left\n");
    }
}

/* Where the next page begins: behind this event. */
static bool move_to(struct listing *listing, struct ss_str event)
{
    struct ss_failure failure = { 0 };
    ss__bytes_clear(&listing->ordinal);
    return ss__json_string_member(event, "ordinal", &listing->ordinal) &&
           ss__option_parse_number(ss__bytes_view(&listing->ordinal), listing->after + 1,
                                   UINT64_MAX - 1, &listing->after, &failure) == 0;
}

static int print_page(struct listing *listing, struct ss_str answer)
{
    FILE *out = listing->ctl->out;
    struct ss_str list;
    struct ss_str more;
    struct ss_str event;
    uint64_t count = 0;
    if (!ss__json_member(answer, "events", &list) || !ss__json_member(answer, "more", &more)) {
        return fail(listing, SS_E_PROTO, "the answer is no page of events");
    }
    for (size_t at = 0; ss__json_element(list, &at, &event); count++) {
        ss__bytes_clear(&listing->line);
        ss__json_line(&listing->line, event);
        ss__bytes_byte(&listing->line, '\n');
        if (!move_to(listing, event)) {
            return fail(listing, SS_E_PROTO, "the answer is no page of events");
        }
        if (listing->line.err != 0) {
            return fail(listing, listing->line.err, "out of memory");
        }
        if (fwrite(listing->line.data, 1, listing->line.len, out) != listing->line.len) {
            return fail(listing, SS_E_IO, "cannot write to standard output");
        }
    }
    listing->left -= count < listing->left ? count : listing->left;
    listing->more = count > 0 && ss_str_equal(more, ss_str("true"));
    return fflush(out) == 0 ? SS_CTL_OK
                            : fail(listing, SS_E_IO, "cannot write to standard output");
}

static int ask_page(struct listing *listing)
{
    struct ss_bytes target;
    struct ss_bytes in;
    struct ss_str answer;
    uint64_t limit = listing->left < SS_EVENT_PAGE_MAX ? listing->left : SS_EVENT_PAGE_MAX;
    ss__bytes_init(&target, 0);
    ss__bytes_init(&in, 0);
    ss__ctl_session_path(&target, listing->ctl->args[0]);
    ss__bytes_text(&target, "events?after=");
    ss__bytes_u64(&target, listing->after);
    ss__bytes_text(&target, "&limit=");
    ss__bytes_u64(&target, limit);
    ss__bytes_text(&target, listing->raw ? "&raw=1" : "");
    int status = ss__ctl_get(listing->ctl, ss__bytes_view(&target), &in, &answer);
    if (status == SS_CTL_OK) {
        status = print_page(listing, answer);
    } else {
        explain_gone(listing, &in);
    }
    ss__bytes_deinit(&target);
    ss__bytes_deinit(&in);
    return status;
}

/* NULL: @fallback. */
static int read_flag(const struct ss_ctl *ctl, const char *name, const char *text,
                     uint64_t fallback, uint64_t *ret_value)
{
    struct ss_failure failure = { 0 };
    *ret_value = fallback;
    if (text == NULL ||
        ss__option_parse_number(ss_str(text), 0, UINT64_MAX - 1, ret_value, &failure) == 0) {
        return SS_CTL_OK;
    }
    fprintf(ctl->err, "ssctl: --%s: %s\n", name, failure.text);
    return SS_CTL_USAGE;
}

static int print_events(const struct ss_ctl *ctl, bool raw)
{
    struct listing listing = { .ctl = ctl, .more = true, .raw = raw };
    int status = read_flag(ctl, "after", ctl->after, 0, &listing.after);
    status = status != SS_CTL_OK ? status
                                 : read_flag(ctl, "limit", ctl->limit, UINT64_MAX, &listing.left);
    ss__bytes_init(&listing.line, 0);
    ss__bytes_init(&listing.ordinal, 0);
    while (status == SS_CTL_OK && listing.more && listing.left > 0) {
        status = ask_page(&listing);
    }
    ss__bytes_deinit(&listing.line);
    ss__bytes_deinit(&listing.ordinal);
    return status;
}

int ss__ctl_session_events(const struct ss_ctl *ctl)
{
    return print_events(ctl, false);
}

int ss__ctl_session_export(const struct ss_ctl *ctl)
{
    return print_events(ctl, true);
}
