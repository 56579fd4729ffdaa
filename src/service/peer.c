#include "service/peer.h"
#include <netinet/in.h>

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *old = (const struct sockaddr_in *)(const void *)address;
        return ntohl(old->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family != AF_INET6) return false;
    const struct in6_addr *in = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(in) || (IN6_IS_ADDR_V4MAPPED(in) && in->s6_addr[12] == 127);
}

bool peer_is_local(struct MHD_Connection *connection) {
    static const char *const headers[] = {"Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr || !is_loopback(info->client_addr)) return false;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, headers[i])) return false;
    return true;
}
