#include "server/ssctl.h"

#include <string.h>

#include <sessionstream/limits.h>

#include "core/bytes.h"
#include "server/help.h"
#include "server/option_value.h"

#define DEFAULT_URL "http://127.0.0.1:8080"
#define ARGUMENTS_MAX 3
#define BACKUP_RATE 64    /* MiB a second */

static const struct ss_ctl_command commands[] = {
    { "submit", "SESSION COMMAND JSON", 3, " url idempotency-key ",
      "Sends a command and prints the result. JSON is the payload object of the command's type;\n"
      "'-' reads it from standard input. With a key it runs once, however often it is sent.\n",
      ss__ctl_submit },
    { "snapshot", "SESSION", 1, " url at ",
      "Prints the session's entities as JSON, as they are now or, with --at, as they were after\n"
      "that event.\n",
      ss__ctl_snapshot },
    { "tail", "SESSION", 1, " url count since no-reconnect ",
      "Follows a session and prints every frame of the server as one line of JSON. Connects again\n"
      "when the connection is lost; every connection begins with a snapshot. Ends with status 1\n"
      "when the session is deleted or can be followed no longer.\n",
      ss__ctl_tail },
    { "session list", "", 0, " url prefix after limit ",
      "Prints one page of the sessions as JSON, by id; \"next\" is there if more follow, and is\n"
      "what --after takes then.\n",
      ss__ctl_session_list },
    { "session cursors", "SESSION", 1, " url ",
      "Prints where the session's timeline projections stand: the newest event, and of each the\n"
      "event up to which all are in its entities, those that failed, and where it halted.\n",
      ss__ctl_session_cursors },
    { "session retry", "SESSION", 1, " url projection ",
      "Tries the session's failed events again, in order, and ends a halt. Prints the event up to\n"
      "which all are in the entities now; projection_failed if events still fail.\n",
      ss__ctl_session_retry },
    { "session rebuild", "SESSION", 1, " url projection from ",
      "Makes the session's entities again from its events, beside the present ones, which are\n"
      "then replaced at once; with --from only from that event on. Prints the event up to which\n"
      "all are in the entities; if an event fails nothing changes.\n",
      ss__ctl_session_rebuild },
    { "session close", "SESSION", 1, " url ",
      "Writes what a session has only in memory and takes it out of there; session_in_use if it\n"
      "runs, has tasks or is used meanwhile. It comes back when somebody needs it.\n",
      ss__ctl_session_close },
    { "session delete", "SESSION", 1, " url ",
      "Deletes a session with everything it has and prints the ordinal of its newest event. Those\n"
      "who follow it are told. It cannot be undone.\n",
      ss__ctl_session_delete },
    { "session import", "SESSION FILE", 2, " url ",
      "Puts events at their ordinals, one line of JSON each: {\"ordinal\", \"time\", \"event\",\n"
      "\"payload\"}. Those that are there already must be the same, so it may be run again; '-'\n"
      "reads standard input.\n",
      ss__ctl_session_import },
    { "session events", "SESSION", 1, " url after limit ",
      "Prints the session's stored events, a line of JSON each, as session import takes them.\n",
      ss__ctl_session_events },
    { "errors", "[SESSION]", 1, " url kind limit json ",
      "Prints the error records that the server keeps, of one session or of all, oldest first.\n",
      ss__ctl_errors },
    { "trace", "SESSION", 1, " url follow json ",
      "Prints recent records of a session, a line each: its events on their way through the\n"
      "pipeline, and the stages of the connections that follow it. The server has to run with\n"
      "--debug-ring.\n",
      ss__ctl_trace },
    { "session export", "SESSION", 1, " url after limit ",
      "Prints the session's stored events, a line of JSON each, with their bytes as they are\n"
      "stored: session import puts the same events into another server, also one whose\n"
      "application has other versions of their types.\n",
      ss__ctl_session_export },
    { "backup", "NAME", 1, " url rate ",
      "Has the daemon copy its data directory, while it runs, to NAME in its --backup-dir, and\n"
      "waits for that. What was acknowledged before is in it. Interrupting cancels it.\n",
      ss__ctl_backup },
    { "restore", "BACKUP DIR", 2, " rate force ",
      "Makes the data directory DIR, which is absent or empty, of a backup: verifies it, copies\n"
      "it, gives every session another epoch, and checks the result. The daemon can start then.\n",
      ss__ctl_restore },
    { "reshard", "DIR", 1, " shards to ",
      "Gives a data directory that no daemon is using another number of shards. A copy is made\n"
      "beside it, checked and compared, and takes its place; the old one stays as\n"
      "DIR.before-reshard. With --to PATH the copy stays there and DIR is left alone.\n",
      ss__ctl_reshard },
    { "store check", "DIR", 1, " ",
      "Checks a data directory that no daemon is using. Exit status 0: clean, 1: findings,\n"
      "2: it cannot be opened.\n",
      ss__ctl_store_check },
    { "store restored", "DIR", 1, " ",
      "Run it after a data directory was put back from a backup, before the daemon starts: events\n"
      "after the backup are gone, so every epoch changes and clients begin again. Exit status 0:\n"
      "done, 2: it cannot be opened or is not complete.\n",
      ss__ctl_store_restored },
};

struct flag_help {
    const char *name;
    const char *placeholder;
    const char *help;
};

static const struct flag_help flags[] = {
    { "url", "URL", "address of the server, http:// or ws:// [default " DEFAULT_URL "]" },
    { "count", "N", "stop after N uiEvent frames" },
    { "since", "ORDINAL", "what the client has seen already (advisory)" },
    { "no-reconnect", "", "end with status 1 when the connection is lost" },
    { "prefix", "TEXT", "only sessions whose id begins with it" },
    { "after", "ID", "only sessions behind this id, only events behind this ordinal" },
    { "limit", "N", "at most so many: sessions up to 1000 [default 100], events, newest errors" },
    { "projection", "NAME", "only the timeline projection of this name" },
    { "idempotency-key", "KEY", "runs the command unless one with this key has run" },
    { "kind", "KIND", "only decode, ordinal, ui-projection, timeline-projection, fanout or store" },
    { "json", "", "print the JSON of the server instead of a table" },
    { "follow", "", "go on with new records until interrupted" },
    { "at", "ORDINAL", "as of this event [default 0: the newest]" },
    { "from", "ORDINAL", "with the entities as of this event [default 0: with none]" },
    { "rate", "MIB", "at most so many MiB a second [default: backup 64, else 0: no limit]" },
    { "force", "", "also when the check finds damage" },
    { "shards", "N", "number of shards, 1 to 256" },
    { "to", "PATH", "where the copy goes, absent or empty" },
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* True if @command takes the flag; NULL: any command. */
static bool takes_flag(const struct ss_ctl_command *command, struct ss_str name)
{
    char spaced[32];
    if (name.len == 0 || name.len + 3 > sizeof spaced) {
        return false;
    }
    (void)snprintf(spaced, sizeof spaced, " %.*s ", (int)name.len, name.data);
    return strstr(command->flags, spaced) != NULL;
}

static void print_command_help(FILE *out, const struct ss_ctl_command *command)
{
    fprintf(out, "Usage: ssctl %s %s\n%s", command->name, command->arguments, command->help);
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        if (takes_flag(command, ss_str(flags[i].name))) {
            char left[32];
            (void)snprintf(left, sizeof left, "--%s %s", flags[i].name, flags[i].placeholder);
            fprintf(out, "  %-22s %s\n", left, flags[i].help);
        }
    }
}

static void print_help(FILE *out)
{
    fprintf(out, "Usage: ssctl [--url URL] COMMAND ARGUMENT...\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        fprintf(out, "  ssctl %s %s\n", commands[i].name, commands[i].arguments);
    }
    fprintf(out,
            "  ssctl help [TOPIC]\n\n"
            "The server is at --url [default " DEFAULT_URL "]. ssctl COMMAND --help tells more.\n"
            "Errors go to standard error with the server's code; the exit status is then 1.\n");
}

static int refuse(FILE *err, const char *what, const char *sentence)
{
    fprintf(err, "ssctl: %s: %s\n", what, sentence);
    return SS_CTL_USAGE;
}

/* The words of the command line that are no flags: the command and its arguments. */
struct words {
    const char *items[ARGUMENTS_MAX + 3];
    size_t count;
};

static const struct ss_ctl_command *find_command(const struct words *words, size_t *ret_used)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const char *name = commands[i].name;
        const char *space = strchr(name, ' ');
        size_t first_len = space == NULL ? strlen(name) : (size_t)(space - name);
        if (words->count == 0 || strlen(words->items[0]) != first_len ||
            strncmp(words->items[0], name, first_len) != 0) {
            continue;
        }
        if (space == NULL) {
            *ret_used = 1;
            return &commands[i];
        }
        if (words->count > 1 && strcmp(words->items[1], space + 1) == 0) {
            *ret_used = 2;
            return &commands[i];
        }
    }
    return NULL;
}

struct parsed {
    struct words words;
    const char *flag_values[COUNT_OF(flags)];    /* NULL: not given */
    bool help;
};

/* Stores the flag at argv[*at] and moves behind it and its value. */
static int parse_flag(char *const *argv, size_t *at, struct parsed *parsed, FILE *err)
{
    const char *arg = argv[(*at)++];
    const char *equals = strchr(arg, '=');
    size_t name_len = (equals == NULL ? strlen(arg) : (size_t)(equals - arg)) - 2;
    if (strcmp(arg, "--help") == 0) {
        parsed->help = true;
        return 0;
    }
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        if (!ss_str_equal(ss_str(flags[i].name), ss_str_of(arg + 2, name_len))) {
            continue;
        }
        if (flags[i].placeholder[0] == '\0') {
            parsed->flag_values[i] = "";
            return equals == NULL ? 0 : refuse(err, arg, "takes no value");
        }
        parsed->flag_values[i] = equals != NULL ? equals + 1 : argv[*at];
        if (parsed->flag_values[i] == NULL) {
            return refuse(err, arg, "needs a value");
        }
        *at += equals == NULL;
        return 0;
    }
    return refuse(err, arg, "unknown flag; see --help");
}

static int parse_arguments(char *const *argv, struct parsed *parsed, FILE *err)
{
    bool only_words = false;
    for (size_t at = 1; argv[at] != NULL;) {
        const char *arg = argv[at];
        if (!only_words && strcmp(arg, "--") == 0) {
            only_words = true;
            at++;
        } else if (!only_words && strcmp(arg, "-h") == 0) {
            parsed->help = true;
            at++;
        } else if (!only_words && strncmp(arg, "--", 2) == 0) {
            int status = parse_flag(argv, &at, parsed, err);
            if (status != 0) {
                return status;
            }
        } else if (!only_words && arg[0] == '-' && arg[1] != '\0') {
            return refuse(err, arg, "unknown flag; see --help");
        } else if (parsed->words.count == COUNT_OF(parsed->words.items)) {
            return refuse(err, arg, "too many arguments; see --help");
        } else {
            parsed->words.items[parsed->words.count++] = arg;
            at++;
        }
    }
    return 0;
}

/* Of commands that copy stores. */
static int read_store_flags(const struct ss_ctl_command *command, const struct parsed *parsed,
                            struct ss_ctl *ctl)
{
    struct ss_failure failure = { 0 };
    ctl->rate = strcmp(command->name, "backup") == 0 ? BACKUP_RATE : 0;
    if (parsed->flag_values[14] != NULL &&
        ss__option_parse_number(ss_str(parsed->flag_values[14]), 0, 1u << 20, &ctl->rate,
                                &failure) != 0) {
        return refuse(ctl->err, "--rate", failure.text);
    }
    ctl->force = parsed->flag_values[15] != NULL;
    if (parsed->flag_values[16] != NULL &&
        ss__option_parse_number(ss_str(parsed->flag_values[16]), 1, SS_SHARDS_MAX, &ctl->shards,
                                &failure) != 0) {
        return refuse(ctl->err, "--shards", failure.text);
    }
    ctl->to = parsed->flag_values[17];
    return 0;
}

static int read_flags(const struct ss_ctl_command *command, const struct parsed *parsed,
                      struct ss_ctl *ctl)
{
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        if (parsed->flag_values[i] != NULL && !takes_flag(command, ss_str(flags[i].name))) {
            fprintf(ctl->err, "ssctl: --%s: not a flag of %s; see ssctl %s --help\n",
                    flags[i].name, command->name, command->name);
            return SS_CTL_USAGE;
        }
    }
    struct ss_failure failure = { 0 };
    const char *url = parsed->flag_values[0] != NULL ? parsed->flag_values[0] : DEFAULT_URL;
    if (ss__url_parse(url, &ctl->url, &failure) != 0) {
        return refuse(ctl->err, "--url", failure.text);
    }
    if (parsed->flag_values[1] != NULL &&
        ss__option_parse_number(ss_str(parsed->flag_values[1]), 1, UINT64_MAX, &ctl->count,
                                &failure) != 0) {
        return refuse(ctl->err, "--count", failure.text);
    }
    if (parsed->flag_values[2] != NULL &&
        ss__option_parse_number(ss_str(parsed->flag_values[2]), 0, UINT64_MAX, &ctl->since,
                                &failure) != 0) {
        return refuse(ctl->err, "--since", failure.text);
    }
    ctl->no_reconnect = parsed->flag_values[3] != NULL;
    ctl->prefix = parsed->flag_values[4];
    ctl->after = parsed->flag_values[5];
    ctl->limit = parsed->flag_values[6];
    ctl->projection = parsed->flag_values[7];
    ctl->key = parsed->flag_values[8];
    for (const char *at = ctl->key; at != NULL && *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7F) {
            return refuse(ctl->err, "--idempotency-key", "no control characters");
        }
    }
    ctl->kind = parsed->flag_values[9];
    ctl->json = parsed->flag_values[10] != NULL;
    ctl->follow = parsed->flag_values[11] != NULL;
    ctl->at = parsed->flag_values[12];
    ctl->from = parsed->flag_values[13];
    return read_store_flags(command, parsed, ctl);
}

int ss__ctl_main(char *const *argv, FILE *out, FILE *err)
{
    struct parsed parsed = { 0 };
    struct ss_ctl ctl = { .out = out, .err = err };
    if (argv[1] != NULL && strcmp(argv[1], "help") == 0) {
        return ss__help_main("ssctl", (const char *const *)argv + 2, out, err);
    }
    int status = parse_arguments(argv, &parsed, err);
    if (status != 0) {
        return status;
    }
    size_t used = 0;
    const struct ss_ctl_command *command = find_command(&parsed.words, &used);
    if (command == NULL && parsed.help && parsed.words.count == 0) {
        print_help(out);
        return SS_CTL_OK;
    }
    if (command == NULL) {
        return parsed.words.count == 0
                   ? refuse(err, "no command",
                            "one of submit, snapshot, tail, session list, session cursors, "
                            "session retry, session rebuild, session close, session delete, "
                            "session import, session events, session export, errors, trace, "
                            "backup, restore, reshard, store check, store restored")
                   : refuse(err, parsed.words.items[0],
                            "unknown command; there are submit, snapshot, tail, session list, "
                            "session cursors, session retry, session rebuild, session close, "
                            "session delete, session import, session events, session export, "
                            "errors, trace, backup, restore, reshard, store check, "
                            "store restored");
    }
    if (parsed.help) {
        print_command_help(out, command);
        return SS_CTL_OK;
    }
    status = read_flags(command, &parsed, &ctl);
    if (status != 0) {
        return status;
    }
    size_t given = parsed.words.count - used;
    bool may_lack = command->arguments[0] == '[' && given == 0;
    if (given != command->argument_count && !may_lack) {
        fprintf(err, "ssctl: %s takes %zu argument%s: %s\n", command->name,
                command->argument_count, command->argument_count == 1 ? "" : "s",
                command->arguments);
        return SS_CTL_USAGE;
    }
    ctl.args = parsed.words.items + used;
    return command->run(&ctl);
}

int ss__ctl_fail(const struct ss_ctl *ctl, const struct ss_failure *failure)
{
    fprintf(ctl->err, "ssctl: %s: %s\n", ss_error_wire_name(failure->code), failure->text);
    return SS_CTL_FAILED;
}

static void append_sentences(struct ss_bytes *out, const char *text)
{
    for (; *text != '\0' && strcmp(text, "\n") != 0; text++) {
        ss__bytes_byte(out, *text == '\n' ? ' ' : (uint8_t)*text);
    }
    ss__bytes_text(out, " |\n");
}

void ss__ctl_print_markdown(struct ss_bytes *out)
{
    char left[96];
    ss__bytes_text(out, "| command | meaning |\n| --- | --- |\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        (void)snprintf(left, sizeof left, "| `ssctl %s %s` | ", commands[i].name,
                       commands[i].arguments);
        ss__bytes_text(out, left);
        append_sentences(out, commands[i].help);
    }
    ss__bytes_text(out, "| `ssctl help [TOPIC]` | ");
    append_sentences(out, "Prints these pages.");
    ss__bytes_text(out, "\n| flag | meaning |\n| --- | --- |\n");
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        (void)snprintf(left, sizeof left, "| `--%s%s%s` | ", flags[i].name,
                       flags[i].placeholder[0] == '\0' ? "" : " ", flags[i].placeholder);
        ss__bytes_text(out, left);
        append_sentences(out, flags[i].help);
    }
}
