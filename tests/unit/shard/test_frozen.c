/* What was frozen is shown in order, page by page, and the same again. */
#include "shard/frozen.h"

#include "notes_app.h"

#define NOTES 2500
#define PAGE_BYTES 16384u

/* Publishes up to 1,000 notes with ids from the number in f->given on. */
static int publish_many(struct ss_context *context, struct fixture *f)
{
    unsigned *next = f->given;
    for (unsigned i = 0; i < 1000 && *next < NOTES; i++, (*next)++) {
        char id[16];
        snprintf(id, sizeof id, "n%u", *next);
        Sessionstream__Test__Notes__Note note = make_note(id, "text");
        int err = ss_publish(context, "Put", &note.base);
        if (err != 0) {
            return err;
        }
    }
    return 0;
}

static struct ss_channel *fill(struct fixture *f)
{
    unsigned next = 0;
    f->given = &next;
    while (next < NOTES) {
        call_in(f, "s", publish_many);
    }
    return ss__channel_get(f->shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
}

static struct ss_frozen *freeze(struct fixture *f, struct ss_channel *channel)
{
    struct ss_frozen *frozen;
    ss_check(ss__frozen_new(f->shard, channel, NULL, SS_ENCODING_V2_JSON, PAGE_BYTES, &frozen) ==
             0);
    while (!ss__frozen_sort(frozen, 1)) {
    }
    return frozen;
}

/* Counts the notes of a page, which follow in order on number @at. */
static unsigned count_notes(struct ss_buf *buf, unsigned at)
{
    struct ss_str body = ss__ws_payload(buf);
    char key[32];
    unsigned count = 0;
    for (const char *from = body.data;; count++) {
        snprintf(key, sizeof key, "\"kind\":\"Note\",\"id\":\"n%u\"", at + count);
        size_t left = body.len - (size_t)(from - body.data);
        const char *found = memmem(from, left, key, strlen(key));
        if (found == NULL) {
            return count;
        }
        from = found + strlen(key);
    }
}

SS_TEST(frozen, pages_have_every_entity_once_in_the_order_of_creation)
{
    struct fixture f;
    fixture_init(&f);
    struct ss_frozen *frozen = freeze(&f, fill(&f));
    unsigned at = 0;
    uint32_t pages = 0;
    for (int more = 1; more > 0;) {
        struct ss_buf *buf;
        bool kept;
        more = ss__frozen_page(f.shard, frozen, ++pages, &buf, &kept);
        ss_check(more >= 0 && !kept && buf->len <= PAGE_BYTES + 128);
        unsigned count = count_notes(buf, at);
        ss_check(count > 0);
        at += count;
        ss__buf_unref(buf);
    }
    ss_check(at == NOTES && pages > 10);
    ss_check(atomic_load(&f.stats->pages[SS_ENCODING_V2_JSON]) == pages);
    ss__frozen_unref(frozen);
    ss_check(atomic_load(&f.stats->frozen_bytes) == 0);
    fixture_deinit(&f);
}

SS_TEST(frozen, a_page_is_kept_or_made_again_and_is_the_same)
{
    struct fixture f;
    fixture_init(&f);
    struct ss_frozen *frozen = freeze(&f, fill(&f));
    struct ss_buf *first[3];
    struct ss_buf *again;
    bool kept;
    for (uint32_t i = 0; i < 3; i++) {
        frozen->kept_bytes = i == 1 ? SS_PAGES_KEPT_BYTES : 0;    /* no room for the second */
        ss_check(ss__frozen_page(f.shard, frozen, i + 1, &first[i], &kept) == 1 && !kept);
    }
    frozen->kept_bytes = SS_PAGES_KEPT_BYTES;
    for (uint32_t i = 0; i < 3; i++) {
        ss_check(ss__frozen_page(f.shard, frozen, i + 1, &again, &kept) == 1);
        ss_check(kept == (i != 1) && (again == first[i]) == kept);
        ss_check(again->len == first[i]->len &&
                 memcmp(again->data, first[i]->data, again->len) == 0);
        ss__buf_unref(again);
        ss__buf_unref(first[i]);
    }
    ss_check(atomic_load(&f.stats->pages[SS_ENCODING_V2_JSON]) == 4);
    ss__frozen_unref(frozen);
    fixture_deinit(&f);
}

SS_TEST(frozen, what_changes_later_is_not_in_there)
{
    struct fixture f;
    fixture_init(&f);
    struct ss_channel *channel = fill(&f);
    struct ss_frozen *frozen = freeze(&f, channel);
    post_put(&f, "s", "n0", "changed");
    post_put(&f, "s", "n1", "delete");
    step_all(&f);
    ss__state_free(f.shard, channel->state);    /* even without the state */
    struct ss_buf *buf;
    bool kept;
    ss_check(ss__frozen_page(f.shard, frozen, 1, &buf, &kept) == 1);
    struct ss_str body = ss__ws_payload(buf);
    ss_check(memmem(body.data, body.len, "changed", 7) == NULL);
    ss_check(count_notes(buf, 0) > 2);
    ss__buf_unref(buf);
    ss__frozen_unref(frozen);
    fixture_deinit(&f);
}

SS_TEST(frozen, an_empty_one_has_one_page)
{
    struct fixture f;
    fixture_init(&f);
    uint64_t since = NOTES;
    struct ss_frozen *frozen;
    struct ss_buf *buf;
    bool kept;
    ss_check(ss__frozen_new(f.shard, fill(&f), &since, SS_ENCODING_V2_JSON, PAGE_BYTES,
                            &frozen) == 0);
    ss_check(ss__frozen_sort(frozen, 1));
    ss_check(ss__frozen_page(f.shard, frozen, 1, &buf, &kept) == 0);
    ss__buf_unref(buf);
    ss__frozen_unref(frozen);
    fixture_deinit(&f);
}

SS_TEST(frozen, too_many_at_once_are_refused_but_one_always_goes)
{
    struct fixture f;
    fixture_init(&f);
    struct ss_channel *channel = fill(&f);
    struct ss_frozen *frozen = freeze(&f, channel);
    struct ss_frozen *other;
    uint64_t before = atomic_load(&f.stats->frozen_bytes);
    ss_check(before > NOTES * 100);
    atomic_store(&f.stats->frozen_bytes, SS_FROZEN_BYTES_MAX);
    ss_check(ss__frozen_new(f.shard, channel, NULL, 0, PAGE_BYTES, &other) == SS_E_BUSY);
    atomic_store(&f.stats->frozen_bytes, before);
    ss__frozen_unref(frozen);
    fixture_deinit(&f);
}
