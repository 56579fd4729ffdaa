// Addresses that a client's URL must not lead to: this machine, its network, and what clouds answer
// there (metadata services). A name is judged by what it resolves to, at the moment of connecting.
#ifndef NET_ADDRESS_GUARD_H
#define NET_ADDRESS_GUARD_H

#include "base/error.h"
#include <stdbool.h>
#include <sys/socket.h>

// Whether the address is not one of the open internet's: loopback, private, link-local, multicast,
// reserved, or an IPv6 address that stands for such an IPv4 address. What is neither IPv4 nor IPv6
// is inward.
bool address_is_inward(const struct sockaddr *address);

// Checks a URL as far as that goes without asking for its name: https (or http, with
// `inward_allowed`), a host, no user in it, no address or name that points inward by itself.
bool address_check_url(const char *url, bool inward_allowed, struct error *error) WARN_UNUSED;

#endif
