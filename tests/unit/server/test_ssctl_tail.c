#include "ss_test.h"

#include <string.h>

#include "ctl_run.h"
#include "fake_server.h"
#include "http/upgrade.h"
#include "wire/ws_header.h"

#define SCRIPTS_MAX 5

/* What the server sends on each connection after the handshake: texts, one frame each, up to NULL;
 * then it closes. A text of "\x88" is a close frame 1001, of "\x89" a ping. */
struct ws_server {
    pthread_t thread;
    int listener;
    const char *const *scripts[SCRIPTS_MAX];
    size_t connections;
    char subscribe[512];    /* bytes of the client's first frame, unmasked */
    char pong[64];
};

static void send_all(int fd, const void *data, size_t len)
{
    ss_check(send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len);
}

static void send_frame(int fd, enum ss_ws_opcode opcode, const char *payload, size_t len)
{
    uint8_t header[SS_WS_HEADER_BYTES_MAX];
    size_t header_len = ss__ws_header_write(opcode, len, header);
    send_all(fd, header, header_len);
    send_all(fd, payload, len);
}

/* Reads one masked frame of at most 65,535 bytes; returns its opcode. */
static unsigned read_frame(int fd, char *payload, size_t cap)
{
    uint8_t head[2];
    uint8_t mask[4];
    ss_check(recv(fd, head, 2, MSG_WAITALL) == 2);
    ss_check((head[1] & 0x80) != 0);
    size_t len = head[1] & 0x7F;
    if (len == 126) {
        uint8_t wide[2];
        ss_check(recv(fd, wide, 2, MSG_WAITALL) == 2);
        len = (size_t)wide[0] << 8 | wide[1];
    }
    ss_check(len < cap && recv(fd, mask, 4, MSG_WAITALL) == 4);
    ss_check(len == 0 || recv(fd, payload, len, MSG_WAITALL) == (ssize_t)len);
    for (size_t i = 0; i < len; i++) {
        payload[i] = (char)(payload[i] ^ mask[i % 4]);
    }
    payload[len] = '\0';
    return head[0] & 0x0F;
}

static void answer_handshake(int fd)
{
    char request[4096] = "";
    char accept_key[SS_HTTP_ACCEPT_BYTES + 1];
    char answer[512];
    fake_server_read(fd, request, sizeof request);
    ss_check(strncmp(request, "GET /v1/ws HTTP/1.1\r\n", 21) == 0);
    ss_check(strstr(request, "sessionstream.v2.json") != NULL);
    const char *key = strstr(request, "Sec-WebSocket-Key: ");
    ss_check(key != NULL);
    key += strlen("Sec-WebSocket-Key: ");
    ss__http_accept_key(ss_str_of(key, strcspn(key, "\r")), accept_key);
    int len = snprintf(answer, sizeof answer,
                       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
                       "Sec-WebSocket-Protocol: sessionstream.v2.json\r\n\r\n",
                       accept_key);
    send_all(fd, answer, (size_t)len);
}

static void play(struct ws_server *server, int fd, const char *const *script)
{
    answer_handshake(fd);
    ss_check(read_frame(fd, server->subscribe, sizeof server->subscribe) == SS_WS_TEXT);
    for (; *script != NULL; script++) {
        if (strcmp(*script, "\x88") == 0) {
            send_frame(fd, SS_WS_CLOSE, "\x03\xe9", 2);
        } else if (strcmp(*script, "\x89") == 0) {
            send_frame(fd, SS_WS_PING, "n1", 2);
            ss_check(read_frame(fd, server->pong, sizeof server->pong) == SS_WS_PONG);
        } else {
            send_frame(fd, SS_WS_TEXT, *script, strlen(*script));
        }
    }
}

static void *serve(void *arg)
{
    struct ws_server *server = arg;
    while (server->connections < SCRIPTS_MAX && server->scripts[server->connections] != NULL) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0) {
            break;
        }
        play(server, fd, server->scripts[server->connections]);
        server->connections++;
        close(fd);
    }
    return NULL;
}

/* Runs ssctl tail "s\"1" with @flag (may be NULL) against the scripts in @server. */
static void run_tail(struct ws_server *server, const char *flag, struct ctl_run *run)
{
    struct ss_url url;
    char url_text[300];
    server->listener = fake_server_listen(&url);
    (void)snprintf(url_text, sizeof url_text, "ws://%s", url.authority);
    ss_check(pthread_create(&server->thread, NULL, serve, server) == 0);
    ctl_run(run, CTL_ARGS("tail", "s\"1", "--since=7", "--url", url_text, flag));
    (void)shutdown(server->listener, SHUT_RDWR);
    ss_check(pthread_join(server->thread, NULL) == 0);
    close(server->listener);
}

#define SCRIPT(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define SNAPSHOT "{\"snapshot\":{\"sessionId\":\"s\"}}"
#define SUBSCRIBED "{\"subscribed\":{\"sessionId\":\"s\"}}"
#define EVENT "{\"uiEvent\":{\"name\":\"A\"}}"

SS_TEST(ssctl_tail, frames_are_lines_until_the_count_is_reached)
{
    struct ctl_run run;
    struct ws_server server = {
        .scripts = { SCRIPT("{\"hello\":{}}", SNAPSHOT, SUBSCRIBED, "\x89", EVENT,
                            "{\"uiEvent\":\n{}}") },
    };
    run_tail(&server, "--count=2", &run);
    ss_check_msg(run.status == SS_CTL_OK, "%s", run.err);
    ss_check_msg(strcmp(run.out, "{\"hello\":{}}\n" SNAPSHOT "\n" SUBSCRIBED "\n" EVENT "\n"
                                 "{\"uiEvent\": {}}\n") == 0,
                 "%s", run.out);
    ss_check(run.err[0] == '\0');
    ss_check(strcmp(server.subscribe, "{\"subscribe\":{\"sessionId\":\"s\\\"1\","
                                      "\"sinceSnapshotOrdinal\":\"7\"}}") == 0);
    ss_check(strcmp(server.pong, "n1") == 0);
    ctl_run_deinit(&run);
}

SS_TEST(ssctl_tail, a_lost_connection_is_made_again)
{
    struct ctl_run run;
    struct ws_server server = {
        .scripts = { SCRIPT(SNAPSHOT, SUBSCRIBED, EVENT), SCRIPT(SNAPSHOT, SUBSCRIBED, EVENT) },
    };
    run_tail(&server, "--count=2", &run);
    ss_check_msg(run.status == SS_CTL_OK, "%s", run.err);
    ss_check(server.connections == 2);
    ss_check(strstr(run.err, "closed the connection") != NULL);
    ss_check(strstr(run.err, "connecting again in ") != NULL);
    ctl_run_deinit(&run);
}

SS_TEST(ssctl_tail, without_reconnection_the_end_is_status_1)
{
    struct ctl_run run;
    struct ws_server server = { .scripts = { SCRIPT(SNAPSHOT, SUBSCRIBED, "\x88") } };
    run_tail(&server, "--no-reconnect", &run);
    ss_check(run.status == SS_CTL_FAILED);
    ss_check_msg(strcmp(run.err, "ssctl: closed: the server closed the connection (1001)\n") == 0,
                 "%s", run.err);
    ctl_run_deinit(&run);
}

SS_TEST(ssctl_tail, a_refused_subscription_ends_with_the_servers_code)
{
    struct ctl_run run;
    struct ws_server server = {
        .scripts = { SCRIPT("{\"hello\":{}}", "{\"error\":{\"code\":\"invalid_session_id\","
                                              "\"message\":\"too long\"}}") },
    };
    run_tail(&server, NULL, &run);
    ss_check(run.status == SS_CTL_FAILED);
    ss_check_msg(strcmp(run.err, "ssctl: invalid_session_id: too long\n") == 0, "%s", run.err);
    ctl_run_deinit(&run);
}

SS_TEST(ssctl_tail, a_subscription_refused_for_now_is_tried_again)
{
    struct ctl_run run;
    struct ws_server server = {
        .scripts = { SCRIPT(SNAPSHOT, SUBSCRIBED, EVENT),
                     SCRIPT("{\"error\":{\"code\":\"overloaded\",\"message\":\"later\"}}"),
                     SCRIPT("{\"error\":{\"code\":\"protocol_error\",\"message\":\"no memory\","
                            "\"detail\":\"out_of_memory\"}}"),
                     SCRIPT(SNAPSHOT, SUBSCRIBED, EVENT) },
    };
    run_tail(&server, "--count=2", &run);
    ss_check_msg(run.status == SS_CTL_OK, "%s", run.err);
    ss_check(server.connections == 4);
    ss_check_msg(strstr(run.err, "overloaded: later") != NULL, "%s", run.err);
    ss_check_msg(strstr(run.err, "out_of_memory: no memory") != NULL, "%s", run.err);
    ctl_run_deinit(&run);
}

SS_TEST(ssctl_tail, with_no_reconnect_it_ends_there_too)
{
    struct ctl_run run;
    struct ws_server server = {
        .scripts = { SCRIPT("{\"error\":{\"code\":\"overloaded\",\"message\":\"later\"}}") },
    };
    run_tail(&server, "--no-reconnect", &run);
    ss_check(run.status == SS_CTL_FAILED && server.connections == 1);
    ss_check_msg(strcmp(run.err, "ssctl: overloaded: later\n") == 0, "%s", run.err);
    ctl_run_deinit(&run);
}

#define ENDED(code, detail)                                                                       \
    "{\"error\":{\"code\":\"" code "\",\"message\":\"over\",\"sessionId\":\"s\"" detail "}}"

SS_TEST(ssctl_tail, an_error_of_the_session_ends_it_also_later)
{
    struct ctl_run run;
    struct ws_server server = {
        .scripts = { SCRIPT(SNAPSHOT, SUBSCRIBED, EVENT, ENDED("session_deleted", ""), EVENT) },
    };
    run_tail(&server, "--count=2", &run);
    ss_check(run.status == SS_CTL_FAILED && server.connections == 1);
    ss_check_msg(strcmp(run.err, "ssctl: session_deleted: over\n") == 0, "%s", run.err);
    ctl_run_deinit(&run);
}

SS_TEST(ssctl_tail, an_error_of_the_session_that_may_pass_is_tried_again)
{
    struct ctl_run run;
    struct ws_server server = {
        .scripts = { SCRIPT(SNAPSHOT, SUBSCRIBED,
                            ENDED("protocol_error", ",\"detail\":\"out_of_memory\"")),
                     SCRIPT(SNAPSHOT, SUBSCRIBED, EVENT) },
    };
    run_tail(&server, "--count=1", &run);
    ss_check_msg(run.status == SS_CTL_OK && server.connections == 2, "%s", run.err);
    ctl_run_deinit(&run);
}

SS_TEST(ssctl_tail, another_error_after_the_subscription_is_a_frame_like_others)
{
    struct ctl_run run;
    struct ws_server server = {
        .scripts = { SCRIPT(SUBSCRIBED, "{\"error\":{\"code\":\"x\"}}", EVENT) },
    };
    run_tail(&server, "--count=1", &run);
    ss_check_msg(run.status == SS_CTL_OK, "%s", run.err);
    ctl_run_deinit(&run);
}
