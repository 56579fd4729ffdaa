// Where a request ends: the HTTP library takes the first of two lengths, and waits for the end of
// the connection where it does not know an encoding. A proxy in front of the server may see the
// ends elsewhere, and take what a client smuggles behind them for a request of another. So whatever
// can be read in two ways is refused here (RFC 9112, 6.3).
#ifndef SERVICE_FRAMING_H
#define SERVICE_FRAMING_H

#include <microhttpd.h>
#include <stdbool.h>

struct reply;

// False where the request is refused: the reply is made, and the connection must end with it.
bool framing_check(struct MHD_Connection *connection, struct reply *reply);

#endif
