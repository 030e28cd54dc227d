/* What a connection may read before it has to wait. The rest of conn.c is seen through sockets, in
 * the other files of this folder. */
#include "gateway/conn.h"

#include <sessionstream/limits.h>

#include "ss_test.h"

/* The worst that can come: everyone reads all he may and has to wait with it. */
SS_TEST(conn, what_waiting_connections_have_read_always_finds_room)
{
    static struct ss_gateway gateway;
    uint64_t floor_reads = 0;
    gateway.held_bytes = 0;
    ss_check(ss__conn_read_share(&gateway) == SS_READ_BYTES);
    for (unsigned i = 0; i < 100000; i++) {
        size_t share = ss__conn_read_share(&gateway);
        ss_check(share >= SS_READ_BYTES_MIN && share <= SS_READ_BYTES);
        floor_reads += share == SS_READ_BYTES_MIN;
        gateway.held_bytes += share;
        ss_check(gateway.held_bytes <= SS_HELD_BYTES_MAX + floor_reads * SS_READ_BYTES_MIN);
    }
    ss_check(floor_reads > 0 && gateway.held_bytes > SS_HELD_BYTES_MAX);
}
