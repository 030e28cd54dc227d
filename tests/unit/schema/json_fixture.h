/* json_fixture.h - a schema and the JSON codec over it, for the tests of both directions. */
#ifndef SS_TEST_SCHEMA_JSON_FIXTURE_H
#define SS_TEST_SCHEMA_JSON_FIXTURE_H

#include "generate.h"
#include "schema/json.h"
#include "schema/validate.h"

struct json_fixture {
    struct ss_schema *schema;
    struct ss_failure failure;
    struct ss_bytes packed;
    struct ss_bytes json;
};

/* One text of a type: @back is what it reads as, written again (NULL: the same text); or what the
 * refusal says. */
struct json_case {
    const char *type;    /* within sessionstream.test, or with its package */
    const char *json;
    const char *back;
};

static inline struct json_fixture json_open(void)
{
    struct json_fixture fixture = { .schema = generate_schema() };
    ss__bytes_init(&fixture.packed, 0);
    ss__bytes_init(&fixture.json, 0);
    return fixture;
}

static inline void json_close(struct json_fixture *fixture)
{
    ss__bytes_deinit(&fixture->packed);
    ss__bytes_deinit(&fixture->json);
    ss__schema_free(fixture->schema);
}

static inline const struct ss_type *json_type(const struct json_fixture *fixture, const char *name)
{
    char full[128];
    ss_check(snprintf(full, sizeof full, "%s%s",
                      strchr(name, '.') == NULL ? "sessionstream.test." : "",
                      name) < (int)sizeof full);
    return generate_type(fixture->schema, full);
}

/* Decodes an exact copy of @json, so that the sanitizer sees a byte read too many. */
static inline int json_decode(struct json_fixture *fixture, const char *type, struct ss_str json)
{
    char *exact = malloc(json.len > 0 ? json.len : 1);
    ss_check(exact != NULL);
    if (json.len > 0) {
        memcpy(exact, json.data, json.len);
    }
    ss__bytes_clear(&fixture->packed);
    fixture->failure = (struct ss_failure){ 0 };
    int err = ss__json_decode(fixture->schema, json_type(fixture, type), ss_str_of(exact, json.len),
                              &fixture->packed, &fixture->failure);
    ss_check(err == fixture->failure.code);
    ss_check(err == 0 || fixture->packed.len == 0);
    free(exact);
    return err;
}

static inline int json_encode(struct json_fixture *fixture, const char *type, struct ss_str packed)
{
    ss__bytes_clear(&fixture->json);
    fixture->failure = (struct ss_failure){ 0 };
    int err = ss__json_encode(fixture->schema, json_type(fixture, type), packed, &fixture->json,
                              &fixture->failure);
    ss_check(err == fixture->failure.code);
    ss_check(err == 0 || fixture->json.len == 0);
    return err;
}

static inline bool json_says(const struct json_fixture *fixture, const char *text)
{
    return strstr(fixture->failure.text, text) != NULL;
}

static inline void json_check_accepted(struct json_fixture *fixture, const struct json_case *want)
{
    ss_check_msg(json_decode(fixture, want->type, ss_str(want->json)) == 0, "%s: %s", want->json,
                 fixture->failure.text);
    ss_check_msg(ss__validate(json_type(fixture, want->type), ss__bytes_view(&fixture->packed),
                              &fixture->failure) == 0, "%s: %s", want->json,
                 fixture->failure.text);
    ss_check_msg(json_encode(fixture, want->type, ss__bytes_view(&fixture->packed)) == 0,
                 "%s: %s", want->json, fixture->failure.text);
    const char *back = want->back == NULL ? want->json : want->back;
    ss_check_msg(ss_str_equal(ss__bytes_view(&fixture->json), ss_str(back)), "%s: %.*s",
                 want->json, (int)fixture->json.len, (const char *)fixture->json.data);
}

static inline void json_check_refused(struct json_fixture *fixture, const struct json_case *want)
{
    int err = json_decode(fixture, want->type, ss_str(want->json));
    ss_check_msg(err == SS_E_JSON, "%s: %d", want->json, err);
    ss_check_msg(json_says(fixture, want->back), "%s: %s", want->json, fixture->failure.text);
}

#define JSON_ACCEPTED(cases)                                                               \
    json_check_all(json_check_accepted, cases, sizeof(cases) / sizeof((cases)[0]))
#define JSON_REFUSED(cases)                                                                \
    json_check_all(json_check_refused, cases, sizeof(cases) / sizeof((cases)[0]))

static inline void json_check_all(void (*check)(struct json_fixture *, const struct json_case *),
                                  const struct json_case *cases, size_t count)
{
    struct json_fixture fixture = json_open();
    for (size_t i = 0; i < count; i++) {
        check(&fixture, &cases[i]);
    }
    json_close(&fixture);
}

#endif
