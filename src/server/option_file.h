/* option_file.h - the YAML file of --config.
 *
 * One document with one mapping of option keys to scalars; `schema` may be a sequence and
 * `app_options` is a mapping. Anchors, aliases and tags are refused, so are duplicate keys. */
#ifndef SS_SERVER_OPTION_FILE_H
#define SS_SERVER_OPTION_FILE_H

#include "server/options.h"

#define SS_OPTION_FILE_BYTES_MAX (1u << 20)

/* Reads the file named by options->config into @options. Errors: SS_E_CONFIG with the place
 * "file:line:column" (or the file alone if it cannot be read), SS_E_NOMEM. Blocks: on the file. */
int ss__option_file_read(struct ss_server_options *options, struct ss_options_error *ret_error);

/* The same for the bytes of a file. */
int ss__option_file_parse(struct ss_server_options *options, struct ss_str yaml,
                          struct ss_options_error *ret_error);

#endif
