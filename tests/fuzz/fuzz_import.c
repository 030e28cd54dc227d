/* Events with their ordinals as JSON, as an export writes them and POST .../import takes them.
 *
 * A refusal has its text. What is taken has consecutive ordinals from 1 on, registered events and
 * payloads that validate; written as an export does, it is taken again as the same. */
#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <sessionstream/error.h>
#include <sessionstream/registry.h>

#include "gateway/import_read.h"
#include "kinds.descriptor.h"
#include "schema/json.h"
#include "schema/json_text.h"
#include "schema/json_time.h"
#include "schema/type.h"
#include "schema/validate.h"

static struct ss_registry *registry;
static const struct ss_schema *schema;

static void open_registry(void)
{
    static const char *const events[][2] = { { "One", "sessionstream.test.Singular" },
                                             { "Many", "sessionstream.test.Repeated" },
                                             { "Tree", "sessionstream.test.Node" },
                                             { "Known", "sessionstream.test.WellKnown" } };
    if (registry == NULL) {
        registry = ss_registry_new();
        ss_check(registry != NULL);
        ss_check(ss_registry_load_descriptors(registry, kinds_descriptor_set,
                                              kinds_descriptor_set_len) == 0);
        for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
            ss_check(ss_register_event(registry, events[i][0], events[i][1]) == 0);
        }
        schema = registry->schema;
    }
}

static void check_import(const struct ss_import *import)
{
    ss_check(import->count >= 1 && import->first >= 1 && import->count <= SS_IMPORT_EVENTS_MAX);
    ss_check(ss__import_last(import) >= import->first);
    for (uint32_t i = 0; i < import->count; i++) {
        const struct ss_name *name = import->events[i].name;
        ss_check(ss__registry_find(registry, SS_SPACE_EVENT, name->name) == name);
        ss_check(ss__validate(name->type, ss__import_payload(import, i), NULL) == 0);
    }
}

static void write_event(const struct ss_import *import, uint32_t i, struct ss_bytes *out)
{
    const struct ss_name *name = import->events[i].name;
    char head[64];
    (void)snprintf(head, sizeof head, "{\"ordinal\":\"%llu\",\"time\":\"%llu\",\"event\":",
                   (unsigned long long)(import->first + i),
                   (unsigned long long)import->events[i].time_us);    /* cut is noticed */
    ss__bytes_text(out, i == 0 ? "[" : ",");
    ss__bytes_text(out, head);
    ss__json_string(out, name->name);
    size_t before = out->len;
    ss__bytes_text(out, ",\"payload\":");
    if (ss__json_encode(schema, name->type, ss__import_payload(import, i), out, NULL) != 0) {
        out->len = before;    /* it came as bytes and has no JSON */
        ss__bytes_text(out, ",\"type\":");
        ss__json_string(out, ss__type_name(name->type));
        ss__bytes_text(out, ",\"raw\":");
        ss__json_base64(out, ss__import_payload(import, i));
    }
    ss__bytes_text(out, "}");
}

static bool is_same(const struct ss_import *a, const struct ss_import *b, bool bytes)
{
    bool same = a->first == b->first && a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++) {
        same = a->events[i].name == b->events[i].name &&
               a->events[i].time_us == b->events[i].time_us &&
               (!bytes || ss_str_equal(ss__import_payload(a, i), ss__import_payload(b, i)));
    }
    return same;
}

/* @first: a NullValue given as another number is 0 from then on. */
static struct ss_import *read_again(const struct ss_import *import, bool first)
{
    struct ss_import *again = NULL;
    struct ss_failure failure = { 0 };
    struct ss_bytes text;
    ss__bytes_init(&text, 0);
    for (uint32_t i = 0; i < import->count; i++) {
        write_event(import, i, &text);
    }
    ss__bytes_byte(&text, ']');
    ss_check_msg(ss__import_read(registry, schema, ss__bytes_view(&text), &again, &failure) == 0,
                 "%s\n%.*s\n", failure.text, (int)text.len, (const char *)text.data);
    ss_check(is_same(import, again, !first));
    ss__bytes_deinit(&text);
    return again;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ss_import *import = NULL;
    struct ss_failure failure = { 0 };
    open_registry();
    int err = ss__import_read(registry, schema, ss_str_of(data, len), &import, &failure);
    if (err != 0) {
        ss_check(err == failure.code && failure.text[0] != '\0' && import == NULL);
        ss_check(err == SS_E_JSON || err == SS_E_PAYLOAD || err == SS_E_UNKNOWN_EVENT ||
                 err == SS_E_INVAL || err == SS_E_LIMIT || err == SS_E_TOOBIG);
        return 0;
    }
    check_import(import);
    struct ss_import *once = read_again(import, true);
    struct ss_import *twice = read_again(once, false);
    ss__import_free(twice);
    ss__import_free(once);
    ss__import_free(import);
    return 0;
}
