#include "service/framing.h"
#include "service/reply.h"
#include <strings.h>

struct framing {
    int lengths, encodings, hosts;
    bool chunked;
};

static enum MHD_Result take_header(
    void *context, enum MHD_ValueKind kind, const char *name, const char *value) {
    struct framing *framing = context;
    (void)kind;
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) framing->lengths++;
    if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0) framing->hosts++;
    if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        framing->encodings++;
        framing->chunked = value && strcasecmp(value, "chunked") == 0;
    }
    return MHD_YES;
}

bool framing_check(struct MHD_Connection *connection, struct reply *reply) {
    struct framing framing = {0};
    const char *fault = NULL;
    MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, &framing);
    if (framing.lengths + framing.encodings > 1)
        fault = "The request says more than once how long its body is.";
    else if (framing.encodings && !framing.chunked)
        fault = "The only Transfer-Encoding that this server knows is chunked.";
    else if (framing.hosts > 1)
        fault = "The request has more than one Host.";
    if (!fault) return true;
    reply_error(reply, 400, "malformed_request", NULL, "%s", fault);
    reply_header(reply, MHD_HTTP_HEADER_CONNECTION, "close");
    return false;
}
