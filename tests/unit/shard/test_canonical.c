#include "notes_app.h"

#include "shard/canonical.h"
#include "shard/shard_state.h"

static struct ss_str canonical(struct fixture *f, struct ss_str packed)
{
    struct ss_str out;
    const struct ss_name *put = ss__registry_find(f->registry, SS_SPACE_EVENT, ss_str("Put"));
    ss_check(ss__canonical(f->shard, put->type, packed, &out) == 0);
    return out;
}

SS_TEST(canonical, order_of_fields_and_written_defaults_do_not_matter)
{
    struct fixture f;
    fixture_init(&f);
    struct ss_str want = ss_str("\x0a\x01n\x12\x01x");
    ss_check(ss_str_equal(canonical(&f, want), want));
    ss_check(ss_str_equal(canonical(&f, ss_str("\x12\x01x\x0a\x01n")), want));
    ss_check(ss_str_equal(canonical(&f, ss_str("\x12\x01y\x0a\x01n\x12\x01x")), want));
    ss_check(canonical(&f, ss_str_of("\x0a\x00\x12\x00", 4)).len == 0);
    ss_check(canonical(&f, ss_str(NULL)).len == 0);
    fixture_deinit(&f);
}

SS_TEST(canonical, unknown_fields_stay)
{
    struct fixture f;
    fixture_init(&f);
    struct ss_str known = canonical(&f, ss_str("\x0a\x01n"));
    struct ss_str more = canonical(&f, ss_str("\x48\x05\x0a\x01n"));
    ss_check(!ss_str_equal(known, more) && more.len == known.len + 2);
    fixture_deinit(&f);
}
