// The certificate and key that the server shows, which may be replaced while it runs.
//
// The HTTP library's callback has no context, so there is one certificate a process: that of the
// tls that was opened last.
#ifndef SERVICE_TLS_H
#define SERVICE_TLS_H

#include "base/error.h"

struct tls;

// PEM files: the certificate with those of its issuers behind it, and its key, not encrypted.
bool tls_open(
    struct tls **tls, const char *certificate, const char *key, struct error *error) WARN_UNUSED;

// No connection may be left. NULL is allowed.
void tls_close(struct tls *tls);

// Reads both files anew. Where that fails the old ones stay in use.
bool tls_reload(struct tls *tls, struct error *error) WARN_UNUSED;

// What the HTTP library is to call: a gnutls_certificate_retrieve_function2.
void *tls_callback(void);

#endif
