// Who is at the other end of a connection.
#ifndef SERVICE_PEER_H
#define SERVICE_PEER_H

#include <microhttpd.h>
#include <stdbool.h>

// Whether the client is on this machine and asks for itself: a proxy here that passes on what
// others ask says so in its headers.
bool peer_is_local(struct MHD_Connection *connection);

#endif
