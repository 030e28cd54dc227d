/* reader.h - from the bytes of a socket to HTTP requests and websocket messages. Gateway thread. */
#ifndef SS_GATEWAY_READER_H
#define SS_GATEWAY_READER_H

#include "gateway/conn.h"

/* Begins to read a new connection. Errors: SS_E_IO. */
int ss__reader_start(struct ss_conn *conn);

/* Lets resumable connections look at what they hold and read on. */
void ss__reader_resume_all(struct ss_gateway *gateway);

/* Those that had more to say than their share go on, one after the other, for a slice: the sockets
 * that are ready come first again after it. True: some still wait. */
bool ss__reader_feed_hungry(struct ss_gateway *gateway);

/* The end of every turn: writes what was queued, resumes who may, until there is neither. Ends
 * the loop after the last connection of a gateway that closes. */
void ss__reader_settle(struct ss_gateway *gateway);

#endif
