#include "ss_test.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "fake_server.h"
#include "server/client_socket.h"

SS_TEST(client_socket, a_port_without_server_is_an_error_that_names_it)
{
    struct ss_url url;
    struct ss_failure failure = { 0 };
    int fd = -1;
    int listener = fake_server_listen(&url);
    close(listener);    /* the port was free a moment ago and nobody listens now */
    ss_check(ss__client_connect(&url, 5000, &fd, &failure) == SS_E_IO);
    ss_check(fd == -1);
    ss_check(strstr(failure.text, url.authority) != NULL);
}

SS_TEST(client_socket, an_unknown_host_is_an_error)
{
    struct ss_url url;
    struct ss_failure failure = { 0 };
    int fd;
    ss_check(ss__url_parse("http://no.such.host.invalid:80", &url, NULL) == 0);
    ss_check(ss__client_connect(&url, 5000, &fd, &failure) == SS_E_ADDRESS);
    ss_check(strstr(failure.text, "no.such.host.invalid") != NULL);
}

SS_TEST(client_socket, bytes_go_both_ways_and_the_end_is_seen)
{
    struct ss_url url;
    char bytes[16];
    int fd;
    int listener = fake_server_listen(&url);
    ss_check(ss__client_connect(&url, 5000, &fd, NULL) == 0);
    int peer = accept(listener, NULL, NULL);
    ss_check(peer >= 0);
    ss_check(ss__client_send(fd, ss_str("ping"), 5000, NULL) == 0);
    ss_check(recv(peer, bytes, 4, MSG_WAITALL) == 4 && memcmp(bytes, "ping", 4) == 0);
    ss_check(send(peer, "pong", 4, 0) == 4);
    ss_check(ss__client_receive(fd, bytes, sizeof bytes, 5000, NULL) == 4);
    ss_check(close(peer) == 0);
    ss_check(ss__client_receive(fd, bytes, sizeof bytes, 5000, NULL) == 0);
    ss_check(close(fd) == 0 && close(listener) == 0);
}

SS_TEST(client_socket, silence_ends_with_a_timeout_in_both_directions)
{
    struct ss_url url;
    struct ss_failure failure = { 0 };
    static char much[1 << 20];
    char byte;
    int fd;
    int listener = fake_server_listen(&url);
    ss_check(ss__client_connect(&url, 5000, &fd, NULL) == 0);
    ss_check(ss__client_receive(fd, &byte, 1, 1, &failure) == SS_E_TIMEOUT);
    ss_check(failure.text[0] != '\0');
    int err = 0;
    for (int i = 0; i < 64 && err == 0; i++) {
        err = ss__client_send(fd, ss_str_of(much, sizeof much), 1, NULL);
    }
    ss_check(err == SS_E_TIMEOUT);
    ss_check(close(fd) == 0 && close(listener) == 0);
}

SS_TEST(client_socket, sending_to_a_closed_peer_is_an_error_and_no_signal)
{
    struct ss_url url;
    static char much[1 << 20];
    int fd;
    int listener = fake_server_listen(&url);
    ss_check(ss__client_connect(&url, 5000, &fd, NULL) == 0);
    int peer = accept(listener, NULL, NULL);
    ss_check(peer >= 0 && close(peer) == 0);
    int err = 0;
    for (int i = 0; i < 64 && err == 0; i++) {
        err = ss__client_send(fd, ss_str_of(much, sizeof much), 5000, NULL);
    }
    ss_check(err == SS_E_IO);
    ss_check(close(fd) == 0 && close(listener) == 0);
}
