#include "server/option_file.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "core/bytes.h"
#include "server/file_bytes.h"

struct reader {
    yaml_parser_t yaml;
    struct ss_server_options *options;
    struct ss_options_error *error;
    bool seen[SS_OPTION_COUNT];
};

static struct ss_option_origin origin_of(yaml_mark_t mark)
{
    return (struct ss_option_origin){ .layer = SS_LAYER_FILE,
                                      .line = mark.line + 1,
                                      .column = mark.column + 1 };
}

static void set_place(struct reader *reader, yaml_mark_t mark)
{
    ss__server_options_place(reader->options, SS_OPTION_CONFIG, origin_of(mark),
                             reader->error->place, sizeof reader->error->place);
}

static int refuse(struct reader *reader, yaml_mark_t mark, const char *sentence)
{
    set_place(reader, mark);
    return ss__fail(&reader->error->failure, SS_E_CONFIG, "%s", sentence);
}

/* The next event, free of anchors, aliases and tags. The caller deletes it after 0 only. */
static int next_event(struct reader *reader, yaml_event_t *ret_event)
{
    if (!yaml_parser_parse(&reader->yaml, ret_event)) {
        if (reader->yaml.error == YAML_MEMORY_ERROR) {
            return ss__fail(&reader->error->failure, SS_E_NOMEM, "out of memory");
        }
        set_place(reader, reader->yaml.problem_mark);
        return ss__fail(&reader->error->failure, SS_E_CONFIG, "not valid YAML: %s",
                        reader->yaml.problem == NULL ? "unreadable" : reader->yaml.problem);
    }
    bool plain = true;
    switch (ret_event->type) {
    case YAML_ALIAS_EVENT:
        plain = false;
        break;
    case YAML_SCALAR_EVENT:
        plain = ret_event->data.scalar.anchor == NULL && ret_event->data.scalar.tag == NULL;
        break;
    case YAML_SEQUENCE_START_EVENT:
        plain = ret_event->data.sequence_start.anchor == NULL &&
                ret_event->data.sequence_start.tag == NULL;
        break;
    case YAML_MAPPING_START_EVENT:
        plain = ret_event->data.mapping_start.anchor == NULL &&
                ret_event->data.mapping_start.tag == NULL;
        break;
    default:
        break;
    }
    if (!plain) {
        int err = refuse(reader, ret_event->start_mark,
                         "anchors, aliases and tags are not supported; write the value itself");
        yaml_event_delete(ret_event);
        return err;
    }
    return 0;
}

static struct ss_str scalar_text(const yaml_event_t *event)
{
    return ss_str_of(event->data.scalar.value, event->data.scalar.length);
}

static int set_scalar(struct reader *reader, enum ss_option_id id, struct ss_str text,
                      yaml_mark_t mark)
{
    int err = ss__server_options_set(reader->options, id, text, origin_of(mark),
                                     &reader->error->failure);
    if (err != 0) {
        set_place(reader, mark);
    }
    return err;
}

/* The sequence behind the key of a list option, its start already read. */
static int read_sequence(struct reader *reader, enum ss_option_id id)
{
    for (;;) {
        yaml_event_t event;
        int err = next_event(reader, &event);
        if (err != 0) {
            return err;
        }
        yaml_event_type_t type = event.type;
        if (type == YAML_SCALAR_EVENT) {
            err = set_scalar(reader, id, scalar_text(&event), event.start_mark);
        } else if (type != YAML_SEQUENCE_END_EVENT) {
            err = refuse(reader, event.start_mark, "every item must be a single value");
        }
        yaml_event_delete(&event);
        if (err != 0 || type == YAML_SEQUENCE_END_EVENT) {
            return err;
        }
    }
}

static bool map_has_key(const struct ss_option_list *map, struct ss_str pair)
{
    const char *equals = memchr(pair.data, '=', pair.len);
    size_t key_len = equals == NULL ? pair.len : (size_t)(equals - pair.data) + 1;
    for (size_t i = 0; i < map->count; i++) {
        if (map->origins[i].layer == SS_LAYER_FILE &&
            strncmp(map->items[i], pair.data, key_len) == 0) {
            return true;
        }
    }
    return false;
}

/* Reads the value of one entry of app_options and sets "key=value". */
static int read_pair(struct reader *reader, const yaml_event_t *key)
{
    yaml_event_t value;
    int err = next_event(reader, &value);
    if (err != 0) {
        return err;
    }
    struct ss_bytes pair;
    ss__bytes_init(&pair, 0);
    ss__bytes_str(&pair, scalar_text(key));
    ss__bytes_byte(&pair, '=');
    if (value.type != YAML_SCALAR_EVENT) {
        err = refuse(reader, value.start_mark, "the value must be a single value");
    } else if (memchr(key->data.scalar.value, '=', key->data.scalar.length) != NULL) {
        err = refuse(reader, key->start_mark, "a key may not contain '='");
    } else {
        ss__bytes_str(&pair, scalar_text(&value));
        if (pair.err != 0) {
            err = ss__fail(&reader->error->failure, SS_E_NOMEM, "out of memory");
        } else if (map_has_key(&reader->options->app_options, ss__bytes_view(&pair))) {
            err = refuse(reader, key->start_mark, "the key is given twice");
        } else {
            err = set_scalar(reader, SS_OPTION_APP_OPTION, ss__bytes_view(&pair),
                             value.start_mark);
        }
    }
    ss__bytes_deinit(&pair);
    yaml_event_delete(&value);
    return err;
}

/* The mapping behind app_options, its start already read. */
static int read_map(struct reader *reader)
{
    for (;;) {
        yaml_event_t key;
        int err = next_event(reader, &key);
        if (err != 0) {
            return err;
        }
        yaml_event_type_t type = key.type;
        if (type == YAML_SCALAR_EVENT) {
            err = read_pair(reader, &key);
        } else if (type != YAML_MAPPING_END_EVENT) {
            err = refuse(reader, key.start_mark, "a key must be a single value");
        }
        yaml_event_delete(&key);
        if (err != 0 || type == YAML_MAPPING_END_EVENT) {
            return err;
        }
    }
}

/* The value of option @id. */
static int read_value(struct reader *reader, enum ss_option_id id)
{
    enum ss_option_kind kind = ss__options[id].kind;
    yaml_event_t event;
    int err = next_event(reader, &event);
    if (err != 0) {
        return err;
    }
    if (kind == SS_OPTION_KIND_MAP && event.type == YAML_MAPPING_START_EVENT) {
        err = read_map(reader);
    } else if (kind == SS_OPTION_KIND_MAP) {
        err = refuse(reader, event.start_mark, "must be a mapping of keys to values");
    } else if (event.type == YAML_SCALAR_EVENT) {
        err = set_scalar(reader, id, scalar_text(&event), event.start_mark);
    } else if (kind == SS_OPTION_KIND_LIST && event.type == YAML_SEQUENCE_START_EVENT) {
        err = read_sequence(reader, id);
    } else {
        err = refuse(reader, event.start_mark, "must be a single value");
    }
    yaml_event_delete(&event);
    return err;
}

static int refuse_key(struct reader *reader, const yaml_event_t *event, struct ss_str key)
{
    int len = (int)(key.len < 60 ? key.len : 60);
    const char *nearest = ss__option_nearest(key);
    int id = nearest == NULL ? -1 : ss__option_by_flag(ss_str(nearest));
    set_place(reader, event->start_mark);
    if (id >= 0 && id != SS_OPTION_CONFIG) {
        char name[SS_OPTION_NAME_BYTES_MAX];
        ss__option_yaml_key(&ss__options[id], name);
        return ss__fail(&reader->error->failure, SS_E_CONFIG,
                        "unknown key \"%.*s\", did you mean %s? see --print-config", len,
                        key.data, name);
    }
    return ss__fail(&reader->error->failure, SS_E_CONFIG,
                    "unknown key \"%.*s\"; --print-config shows the known ones", len, key.data);
}

/* One "key: value" of the document, its key already read. */
static int read_entry(struct reader *reader, const yaml_event_t *event)
{
    if (event->type != YAML_SCALAR_EVENT) {
        return refuse(reader, event->start_mark, "a key must be a single value");
    }
    struct ss_str key = scalar_text(event);
    int id = ss__option_by_yaml_key(key);
    if (id < 0) {
        return refuse_key(reader, event, key);
    }
    if (id == SS_OPTION_CONFIG) {
        return refuse(reader, event->start_mark, "a configuration file cannot name another one");
    }
    if (reader->seen[id]) {
        return refuse(reader, event->start_mark, "the key is given twice");
    }
    reader->seen[id] = true;
    return read_value(reader, (enum ss_option_id)id);
}

/* The entries of the top mapping, its start already read. */
static int read_entries(struct reader *reader)
{
    for (;;) {
        yaml_event_t event;
        int err = next_event(reader, &event);
        if (err != 0) {
            return err;
        }
        yaml_event_type_t type = event.type;
        if (type != YAML_MAPPING_END_EVENT) {
            err = read_entry(reader, &event);
        }
        yaml_event_delete(&event);
        if (err != 0 || type == YAML_MAPPING_END_EVENT) {
            return err;
        }
    }
}

/* An empty document is a scalar without text or no document at all. */
static int read_node(struct reader *reader, const yaml_event_t *event, bool *have_document)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (*have_document) {
            return refuse(reader, event->start_mark, "only one document is allowed");
        }
        *have_document = true;
        return 0;
    case YAML_MAPPING_START_EVENT:
        return read_entries(reader);
    case YAML_SCALAR_EVENT:
        if (event->data.scalar.length == 0) {
            return 0;
        }
        break;
    case YAML_SEQUENCE_START_EVENT:
        break;
    default:
        return 0;
    }
    return refuse(reader, event->start_mark, "the file must hold lines of \"key: value\"");
}

int ss__option_file_parse(struct ss_server_options *options, struct ss_str yaml,
                          struct ss_options_error *ret_error)
{
    struct reader reader = { .options = options, .error = ret_error };
    if (!yaml_parser_initialize(&reader.yaml)) {
        return ss__fail(&ret_error->failure, SS_E_NOMEM, "out of memory");
    }
    yaml_parser_set_input_string(&reader.yaml, (const unsigned char *)yaml.data, yaml.len);
    bool have_document = false;
    bool at_end = false;
    int err = 0;
    while (err == 0 && !at_end) {
        yaml_event_t event;
        err = next_event(&reader, &event);
        if (err == 0) {
            at_end = event.type == YAML_STREAM_END_EVENT;
            err = read_node(&reader, &event, &have_document);
            yaml_event_delete(&event);
        }
    }
    yaml_parser_delete(&reader.yaml);
    return err;
}

int ss__option_file_read(struct ss_server_options *options, struct ss_options_error *ret_error)
{
    struct ss_bytes bytes;
    ss__bytes_init(&bytes, SS_OPTION_FILE_BYTES_MAX);
    int err = ss__file_bytes_load(options->config, &bytes, &ret_error->failure);
    if (err == 0) {
        err = ss__option_file_parse(options, ss__bytes_view(&bytes), ret_error);
    } else {
        (void)snprintf(ret_error->place, sizeof ret_error->place, "%s", options->config);
        if (err != SS_E_NOMEM) {
            err = ret_error->failure.code = SS_E_CONFIG;
        }
    }
    ss__bytes_deinit(&bytes);
    return err;
}
