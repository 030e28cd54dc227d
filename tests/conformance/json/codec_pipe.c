/* codec_pipe: the JSON codec as a filter, for run.mjs.
 *
 * Arguments: FileDescriptorSets. Each line of input is "E TYPE HEX" (packed to JSON) or "D TYPE HEX"
 * (JSON to packed); each line of output is "+HEX" or "-reason". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/json.h"
#include "schema/validate.h"

#define LINE_BYTES (8u << 20)

static void load(struct ss_schema *schema, const char *path)
{
    FILE *file = fopen(path, "rb");
    static uint8_t set[1 << 20];
    struct ss_failure failure = { 0 };
    size_t len = file == NULL ? 0 : fread(set, 1, sizeof set, file);
    if (len == 0 || ss__schema_load(schema, set, len, &failure) != 0) {
        fprintf(stderr, "codec_pipe: %s: %s\n", path, failure.text);
        exit(1);
    }
    fclose(file);
}

static size_t unhex(char *text)
{
    size_t len = 0;
    for (char *at = text; at[0] != '\0' && at[0] != '\n'; at += 2) {
        char digits[3] = { at[0], at[1], '\0' };
        text[len++] = (char)strtoul(digits, NULL, 16);
    }
    return len;
}

static int convert(const struct ss_schema *schema, char *line, struct ss_bytes *out,
                   struct ss_failure *failure)
{
    char *name = line + 2;
    char *hex = strchr(name, ' ');
    if (hex == NULL) {
        return ss__fail(failure, SS_E_INVAL, "malformed line");
    }
    const struct ss_type *type = ss__schema_find(schema, ss_str_of(name, (size_t)(hex - name)));
    if (type == NULL) {
        return ss__fail(failure, SS_E_UNKNOWN_TYPE, "unknown type");
    }
    hex++;
    struct ss_str input = ss_str_of(hex, unhex(hex));
    if (line[0] == 'D') {
        return ss__json_decode(schema, type, input, out, failure);
    }
    int err = ss__validate(type, input, failure);
    return err != 0 ? err : ss__json_encode(schema, type, input, out, failure);
}

int main(int argc, char **argv)
{
    struct ss_schema *schema;
    if (argc < 2 || ss__schema_new(&schema) != 0) {
        fputs("usage: codec_pipe FILE.binpb...\n", stderr);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        load(schema, argv[i]);
    }
    char *line = malloc(LINE_BYTES);
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    while (line != NULL && fgets(line, LINE_BYTES, stdin) != NULL) {
        struct ss_failure failure = { 0 };
        ss__bytes_clear(&out);
        if (convert(schema, line, &out, &failure) != 0) {
            for (char *at = failure.text; (at = strpbrk(at, "\r\n")) != NULL;) {
                *at = ' ';
            }
            printf("-%s\n", failure.text);
        } else {
            putchar('+');
            for (size_t i = 0; i < out.len; i++) {
                printf("%02x", out.data[i]);
            }
            putchar('\n');
        }
        fflush(stdout);
    }
    free(line);
    ss__bytes_deinit(&out);
    ss__schema_free(schema);
    return 0;
}
