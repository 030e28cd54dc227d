/* client.h - HTTP and a websocket over blocking sockets, for a server that may close at any time.
 *
 * A connection that ends is an answer (0, NULL, false); one that stays silent for longer than
 * CLIENT_DEADLINE_MS is a broken promise (verdict.h). */
#ifndef SS_FAULTS_CLIENT_H
#define SS_FAULTS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_DEADLINE_MS 60000

struct text {
    char *bytes;    /* terminated */
    size_t len;
    size_t cap;
};

void text_add(struct text *text, const void *bytes, size_t len);
void text_free(struct text *text);

/* One request on a connection of its own. @more: header lines with their ends, may be "". Returns
 * the status and the body; 0: the connection ended before the whole answer. */
int http_ask(uint16_t port, const char *method, const char *path, const char *more,
             const char *body, struct text *ret_body);

struct ws {
    int fd;
    struct text in;
    size_t taken;
};

/* Both steps: a connection, and the handshake. False: no websocket came of it. */
bool ws_open(struct ws *ws, uint16_t port);
bool ws_connect(struct ws *ws, uint16_t port);
bool ws_upgrade(struct ws *ws);
void ws_close(struct ws *ws);

/* Sends a text frame; an error shows when something is received. */
void ws_send(struct ws *ws, const char *text);

/* The next text frame, terminated, until the next call; NULL: the connection ended. */
char *ws_next(struct ws *ws);

#endif
