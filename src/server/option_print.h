/* option_print.h - the option table as text. out->err tells of failure. */
#ifndef SS_SERVER_OPTION_PRINT_H
#define SS_SERVER_OPTION_PRINT_H

#include "core/bytes.h"
#include "server/options.h"

/* --help. */
void ss__option_print_help(struct ss_bytes *out);

/* --print-config: YAML that --config reads back, each line with its origin as a comment. */
void ss__option_print_config(const struct ss_server_options *options, struct ss_bytes *out);

/* The tables of docs/reference.md. */
void ss__option_print_markdown(struct ss_bytes *out);

#endif
