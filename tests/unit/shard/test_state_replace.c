/* Entities of one place put in another's. */
#include "notes_app.h"

#include "shard/desk.h"
#include "shard/state_slots.h"

/* A note of the state, as a commit of an event would leave it. */
static void put_note(struct fixture *f, struct ss_shard *shard, struct ss_state *state,
                     const char *id, const char *text, uint64_t ordinal)
{
    const struct ss_name *kind = ss__registry_find(f->registry, SS_SPACE_ENTITY, ss_str("Note"));
    struct ss_str payload = ss_str(text);
    struct ss_entity_change change;
    ss_check(ss__state_prepare(shard, state, kind, ss_str(id), text == NULL ? NULL : &payload,
                               &change) == 0);
    ss__state_apply(shard, state, &change, ordinal, 5);
}

struct pair {
    struct fixture f;
    struct ss_shard *desk;
    struct ss_state *state;
    struct ss_state *made;
};

static void init(struct pair *p)
{
    fixture_init(&p->f);
    post_put(&p->f, "s", "x", "a");
    step_all(&p->f);
    struct ss_channel *channel =
        ss__channel_get(p->f.shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
    p->state = channel->state;
    p->desk = ss__desk_new(p->f.shard, channel);
    ss_check(p->desk != NULL);
    p->made = ss__desk_channel(p->desk)->state;
    put_note(&p->f, p->f.shard, p->state, "x", "one", 1);
    put_note(&p->f, p->f.shard, p->state, "y", "two", 2);
}

static void deinit(struct pair *p)
{
    ss__desk_free(p->desk);
    ss__shard_free_retired(p->f.shard);
    fixture_deinit(&p->f);
}

static const struct ss_entity_slot *note_of(struct pair *p, struct ss_state *state, const char *id)
{
    return ss__state_peek(state,
                          ss__registry_find(p->f.registry, SS_SPACE_ENTITY, ss_str("Note")),
                          ss_str(id));
}

SS_TEST(state_replace, what_was_there_is_gone_and_all_that_was_made_is_dirty)
{
    struct pair p;
    struct ss_list old;
    init(&p);
    size_t bytes = p.f.shard->state_bytes - p.state->bytes;
    size_t want = p.state->bytes -
                  (size_t)(ss__slot_bytes(note_of(&p, p.state, "x")) +
                           ss__slot_bytes(note_of(&p, p.state, "y"))) - 3 - 3;
    put_note(&p.f, p.desk, p.made, "y", "new", 2);
    put_note(&p.f, p.desk, p.made, "z", "three", 3);
    put_note(&p.f, p.desk, p.made, "w", "four", 4);
    put_note(&p.f, p.desk, p.made, "w", NULL, 5);
    ss_check(ss__state_replace(p.f.shard, p.state, 1, p.made, &old) == 0);
    ss_check(note_of(&p, p.state, "x") == NULL && note_of(&p, p.state, "w") == NULL);
    ss_check(note_of(&p, p.state, "y")->payload->len == 3);
    ss_check(note_of(&p, p.state, "z")->last_ordinal == 3);
    ss_check(p.state->entities.count == 2 && p.state->live_count == 2);
    ss_check(p.state->dirty_count == 2 && p.made->entities.count == 0);
    /* What it holds is counted: nothing of the old, all of the new. */
    want += (size_t)(ss__slot_bytes(note_of(&p, p.state, "y")) +
                     ss__slot_bytes(note_of(&p, p.state, "z"))) + 3 + 5;
    ss_check(p.state->bytes == want && p.f.shard->state_bytes == bytes + want);
    ss__slots_free(&old);
    ss_check(ss__list_empty(&old));
    deinit(&p);
}

SS_TEST(state_replace, of_no_projection_nothing_moves)
{
    struct pair p;
    struct ss_list old;
    init(&p);
    ss_check(ss__state_replace(p.f.shard, p.state, 0, p.made, &old) == 0);
    ss_check(p.state->entities.count == 2 && p.state->live_count == 2);
    ss_check(ss__list_empty(&old));
    deinit(&p);
}

SS_TEST(state_replace, only_what_shows_the_same_is_the_same)
{
    struct pair p;
    init(&p);
    ss_check(!ss__state_same(p.state, 1, p.made));
    put_note(&p.f, p.desk, p.made, "x", "one", 1);
    ss_check(!ss__state_same(p.state, 1, p.made));    /* y is missing */
    put_note(&p.f, p.desk, p.made, "y", "two", 2);
    struct ss_entity_slot *x = (struct ss_entity_slot *)(uintptr_t)note_of(&p, p.state, "x");
    x->created_ordinal = 1;
    ss_check(ss__state_same(p.state, 1, p.made));
    p.state->whole = false;
    ss_check(!ss__state_same(p.state, 1, p.made));    /* nobody knows */
    p.state->whole = true;
    put_note(&p.f, p.desk, p.made, "y", "twx", 2);
    ss_check(!ss__state_same(p.state, 1, p.made));
    put_note(&p.f, p.desk, p.made, "y", "two", 3);
    ss_check(!ss__state_same(p.state, 1, p.made));    /* changed by another event */
    deinit(&p);
}
