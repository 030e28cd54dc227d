/* ws_test_client.h - a blocking client for tests: HTTP and websocket over one TCP connection.
 *
 * Every wait has a deadline of SS_TEST_DEADLINE_MS; missing it fails the test. Nothing sleeps. */
#ifndef SS_WS_TEST_CLIENT_H
#define SS_WS_TEST_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "wire/ws_client.h"

#define SS_TEST_DEADLINE_MS 60000

struct ws_test_client {
    int fd;
    struct ss_bytes in;          /* HTTP: received and not taken */
    struct ss_ws_client ws;
    bool websocket;
};

/* Connects to the loopback. @receive_buffer: SO_RCVBUF, 0: the kernel's choice. */
void ws_test_connect(struct ws_test_client *client, uint16_t port, int receive_buffer);
void ws_test_close(struct ws_test_client *client);

/* Sends bytes as they are. */
void ws_test_send_raw(struct ws_test_client *client, const void *data, size_t len);

/* Takes one whole HTTP response (by Content-Length) and returns its status; 0: the server closed
 * the connection instead. @out receives head and body, terminated; may be NULL. @no_body: the
 * answer to HEAD. */
int ws_test_http_response(struct ws_test_client *client, bool no_body, struct ss_bytes *out);

/* Does the handshake; @subprotocols may be "". The hello is still to be received. */
void ws_test_upgrade(struct ws_test_client *client, const char *path, const char *subprotocols);

/* Connect, upgrade at "/ws" and receive the hello. */
void ws_test_open(struct ws_test_client *client, uint16_t port, const char *subprotocols);

void ws_test_send(struct ws_test_client *client, enum ss_ws_opcode opcode, const void *data,
                  size_t len);
void ws_test_send_text(struct ws_test_client *client, const char *text);

/* Receives the next message that is no ping (pings are answered). False: the connection ended. */
bool ws_test_receive(struct ws_test_client *client, struct ss_ws_client_message *ret_message);

/* Receives and answers @count pings; nothing else may arrive. */
void ws_test_answer_pings(struct ws_test_client *client, unsigned count);

/* Receives a text message and compares it whole. */
void ws_test_expect(struct ws_test_client *client, const char *text);

/* Receives a text message that contains @part. */
void ws_test_expect_part(struct ws_test_client *client, const char *part);

/* Receives until the close frame and compares its status; then the connection must end. */
void ws_test_expect_close(struct ws_test_client *client, uint16_t status);

/* Milliseconds of the monotonic clock. */
uint64_t ws_test_now_ms(void);

/* Reads one HTTP response and checks its status and a part of it. */
void ws_test_expect_http(struct ws_test_client *client, int status, const char *part);

#endif
