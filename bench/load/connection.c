#include "load/connection.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "load/worker.h"

struct write {
    uv_write_t base;
    char data[];
};

void ss__load_connection_init(struct ss_load_connection *connection,
                              struct ss_load_worker *worker, const struct ss_load_events *events,
                              struct ss_str session_id)
{
    connection->worker = worker;
    connection->events = events;
    connection->session_id = session_id;
    connection->state = SS_LOAD_IDLE;
    ss__bytes_init(&connection->partial, 0);
}

static void on_closed(uv_handle_t *handle)
{
    struct ss_load_connection *connection = handle->data;
    connection->state = SS_LOAD_IDLE;
    ss__bytes_deinit(&connection->partial);
    ss__bytes_init(&connection->partial, 0);
    connection->events->on_lost(connection, connection->lost);
}

void ss__load_connection_close(struct ss_load_connection *connection, const char *why)
{
    if (connection->state == SS_LOAD_CONNECTING || connection->state == SS_LOAD_CONNECTED) {
        connection->state = SS_LOAD_CLOSING;
        connection->lost = why;
        uv_close((uv_handle_t *)&connection->tcp, on_closed);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    (void)suggested;
    struct ss_load_connection *connection = handle->data;
    *ret_buf = uv_buf_init((char *)connection->worker->read_buffer,
                           sizeof connection->worker->read_buffer);
}

static void on_item(void *ctx, const struct ss_load_item *item)
{
    struct ss_load_connection *connection = ctx;
    if (connection->state == SS_LOAD_CLOSING) {
        return;
    }
    if (item->kind == SS_LOAD_OPEN) {
        connection->state = SS_LOAD_CONNECTED;
    }
    connection->events->on_item(connection, item);
    if (item->kind == SS_LOAD_CLOSED) {
        ss__load_connection_flush(connection);
        ss__load_connection_close(connection, "the server closed the connection");
    }
}

/* Returns the bytes taken; all of them once the connection is closing. */
static size_t take(struct ss_load_connection *connection, const uint8_t *in, size_t len)
{
    struct ss_load_worker *worker = connection->worker;
    const char *flaw = "";
    ptrdiff_t taken = worker->run->options->dialect->take(&connection->link, in, len, on_item,
                                                          connection, &worker->out, &flaw);
    if (taken < 0) {
        ss__load_violation(worker, "bytes of the server: %s", flaw);
        ss__load_connection_close(connection, "the server broke the protocol");
    }
    if (connection->state == SS_LOAD_CLOSING) {
        ss__bytes_clear(&worker->out);
        return len;
    }
    ss__load_connection_flush(connection);
    return (size_t)taken;
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct ss_load_connection *connection = stream->data;
    struct ss_bytes *partial = &connection->partial;
    if (len <= 0) {
        if (len < 0) {
            ss__load_connection_close(connection, len == UV_EOF ? "end of stream"
                                                                : uv_strerror((int)len));
        }
        return;
    }
    connection->worker->now_ns = ss__load_now_ns();
    ss__load_count(&connection->worker->counts.bytes_in, (uint64_t)len);
    if (partial->len == 0) {
        size_t taken = take(connection, (const uint8_t *)buf->base, (size_t)len);
        ss__bytes_append(partial, buf->base + taken, (size_t)len - taken);
    } else {
        ss__bytes_append(partial, buf->base, (size_t)len);
        size_t taken = take(connection, partial->data, partial->len);
        memmove(partial->data, partial->data + taken, partial->len - taken);
        partial->len -= taken;
    }
    if (partial->err != 0) {
        ss__load_connection_close(connection, "out of memory");
    }
}

static void on_connect(uv_connect_t *connect, int status)
{
    struct ss_load_connection *connection = connect->handle->data;
    struct ss_load_worker *worker = connection->worker;
    const struct ss_url *url = &worker->run->options->urls[connection->target];
    struct ss_load_purpose purpose = { ss_str(url->authority), connection->session_id, { 0 } };
    if (connection->state == SS_LOAD_CLOSING) {
        return;
    }
    if (status == 0) {
        status = uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read);
    }
    if (status != 0) {
        ss__load_connection_close(connection, uv_strerror(status));
        return;
    }
    if (getrandom(purpose.random, sizeof purpose.random, 0) != (ssize_t)sizeof purpose.random) {
        memset(purpose.random, 0x5a, sizeof purpose.random);    /* any key does for a test */
    }
    worker->run->options->dialect->greet(&connection->link, &purpose, &worker->out);
    ss__load_connection_flush(connection);
}

void ss__load_connection_open(struct ss_load_connection *connection, uint32_t target)
{
    struct ss_load_run *run = connection->worker->run;
    uint32_t which = target % run->options->url_count;
    memset(&connection->link, 0, sizeof connection->link);
    connection->state = SS_LOAD_CONNECTING;
    int status = uv_tcp_init(&connection->worker->loop, &connection->tcp);
    if (status != 0) {
        abort();    /* the first call on it cannot fail */
    }
    connection->tcp.data = connection;
    connection->target = which;
    status = uv_tcp_connect(&connection->connect, &connection->tcp,
                            (const struct sockaddr *)&run->addresses[which], on_connect);
    if (status == 0) {
        (void)uv_tcp_nodelay(&connection->tcp, 1);    /* latency suffers, nothing else */
    } else {
        ss__load_connection_close(connection, uv_strerror(status));
    }
}

static void on_written(uv_write_t *base, int status)
{
    if (status != 0 && status != UV_ECANCELED) {
        ss__load_connection_close(base->handle->data, uv_strerror(status));
    }
    free(base);
}

void ss__load_connection_flush(struct ss_load_connection *connection)
{
    struct ss_bytes *out = &connection->worker->out;
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    uv_buf_t buf = uv_buf_init((char *)out->data, (unsigned)out->len);
    if (out->len == 0) {
        return;
    }
    int sent = uv_try_write(stream, &buf, 1);
    sent = sent == UV_EAGAIN ? 0 : sent;
    if (sent < 0) {
        ss__load_connection_close(connection, uv_strerror(sent));
    } else if ((size_t)sent < out->len) {
        size_t left = out->len - (size_t)sent;
        struct write *write = malloc(sizeof *write + left);
        if (write == NULL) {
            ss__load_connection_close(connection, "out of memory");
        } else {
            memcpy(write->data, out->data + sent, left);
            buf = uv_buf_init(write->data, (unsigned)left);
            if (uv_write(&write->base, stream, &buf, 1, on_written) != 0) {
                free(write);
                ss__load_connection_close(connection, "cannot write");
            }
        }
    }
    ss__bytes_clear(out);
}

size_t ss__load_connection_backlog(const struct ss_load_connection *connection)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&connection->tcp);
}
