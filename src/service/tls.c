// See tls.h. Handshakes borrow the certificate while they last, and nothing says when they have
// ended: one that was replaced is kept until the end.
#include "service/tls.h"
#include "base/file.h"
#include "base/memory.h"
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <string.h>

enum { PEM_MAXIMUM = 1 << 20, CHAIN_MAXIMUM = 16 };

struct identity {
    struct identity *older;
    gnutls_pcert_st chain[CHAIN_MAXIMUM];
    unsigned int count;
    gnutls_privkey_t key;
};

struct tls {
    char *certificate, *key;   // paths
    struct identity *identity; // in use
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tls *current;

static void free_identity(struct identity *identity) {
    if (!identity) return;
    for (unsigned int i = 0; i < identity->count; i++)
        gnutls_pcert_deinit(&identity->chain[i]);
    if (identity->key) gnutls_privkey_deinit(identity->key);
    memory_free(identity);
}

static bool read_pem(const char *path, char **bytes, gnutls_datum_t *pem, struct error *error) {
    size_t length;
    if (!file_read(path, PEM_MAXIMUM, bytes, &length, error)) return false;
    *pem = (gnutls_datum_t){(unsigned char *)*bytes, (unsigned int)length};
    return true;
}

// Whether the two belong together is what GnuTLS checks where it takes both.
static bool check_pair(const struct tls *tls, const gnutls_datum_t *certificate,
    const gnutls_datum_t *key, struct error *error) {
    gnutls_certificate_credentials_t both;
    int fault = gnutls_certificate_allocate_credentials(&both);
    if (fault == 0) {
        fault = gnutls_certificate_set_x509_key_mem(both, certificate, key, GNUTLS_X509_FMT_PEM);
        gnutls_certificate_free_credentials(both);
    }
    return fault == 0 ||
           error_set(error, ERROR_INVALID, "cannot use the certificate %s with the key %s: %s",
               tls->certificate, tls->key, gnutls_strerror(fault));
}

static bool import(struct tls *tls, struct identity *identity, const gnutls_datum_t *certificate,
    const gnutls_datum_t *key, struct error *error) {
    unsigned int count = CHAIN_MAXIMUM;
    int fault = gnutls_pcert_list_import_x509_raw(
        identity->chain, &count, certificate, GNUTLS_X509_FMT_PEM, 0);
    if (fault == 0) identity->count = count;
    if (fault == 0) fault = gnutls_privkey_init(&identity->key);
    if (fault == 0)
        fault = gnutls_privkey_import_x509_raw(identity->key, key, GNUTLS_X509_FMT_PEM, NULL, 0);
    return fault == 0 || error_set(error, ERROR_INVALID, "cannot use the certificate %s: %s",
                             tls->certificate, gnutls_strerror(fault));
}

static bool load(struct tls *tls, struct identity **loaded, struct error *error) {
    char *certificate_bytes = NULL, *key_bytes = NULL;
    gnutls_datum_t certificate, key;
    struct identity *identity = memory_alloc_zeroed(1, sizeof *identity);
    bool ok = (identity || memory_error(error, "a certificate")) &&
              read_pem(tls->certificate, &certificate_bytes, &certificate, error) &&
              read_pem(tls->key, &key_bytes, &key, error) &&
              check_pair(tls, &certificate, &key, error) &&
              import(tls, identity, &certificate, &key, error);
    if (key_bytes) explicit_bzero(key_bytes, key.size);
    memory_free(key_bytes);
    memory_free(certificate_bytes);
    if (ok)
        *loaded = identity;
    else
        free_identity(identity);
    return ok;
}

bool tls_open(struct tls **result, const char *certificate, const char *key, struct error *error) {
    struct tls *tls = memory_alloc_zeroed(1, sizeof *tls);
    if (!tls) return memory_error(error, "a certificate");
    tls->certificate = memory_copy_string(certificate);
    tls->key = memory_copy_string(key);
    bool ok = (tls->certificate && tls->key) || memory_error(error, "a certificate");
    if (!ok || !load(tls, &tls->identity, error)) {
        tls_close(tls);
        return false;
    }
    pthread_mutex_lock(&lock);
    current = tls;
    pthread_mutex_unlock(&lock);
    *result = tls;
    return true;
}

void tls_close(struct tls *tls) {
    if (!tls) return;
    pthread_mutex_lock(&lock);
    if (current == tls) current = NULL;
    pthread_mutex_unlock(&lock);
    while (tls->identity) {
        struct identity *identity = tls->identity;
        tls->identity = identity->older;
        free_identity(identity);
    }
    memory_free(tls->certificate);
    memory_free(tls->key);
    memory_free(tls);
}

bool tls_reload(struct tls *tls, struct error *error) {
    struct identity *fresh = NULL;
    if (!load(tls, &fresh, error)) return false;
    pthread_mutex_lock(&lock);
    fresh->older = tls->identity;
    tls->identity = fresh;
    pthread_mutex_unlock(&lock);
    return true;
}

static int retrieve(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
    const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
    unsigned int *count, gnutls_privkey_t *key) {
    (void)session;
    (void)names;
    (void)name_count;
    (void)algorithms;
    (void)algorithm_count;
    pthread_mutex_lock(&lock);
    struct identity *identity = current ? current->identity : NULL;
    pthread_mutex_unlock(&lock);
    if (!identity) return -1;
    *chain = identity->chain;
    *count = identity->count;
    *key = identity->key;
    return 0;
}

void *tls_callback(void) {
    gnutls_certificate_retrieve_function2 *function = retrieve;
    void *pointer;
    memcpy(&pointer, &function, sizeof pointer); // ISO C has no conversion between the two
    return pointer;
}
