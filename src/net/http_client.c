// Requests through libcurl's easy interface: one handle for each, nothing kept between them.
#include "net/http_client.h"
#include "net/address_guard.h"
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { CONNECT_SECONDS = 10, MAX_REDIRECTS = 8 };

struct exchange {
    const struct http_request *request;
    struct http_answer *answer;
    CURL *curl;
    struct curl_slist *headers;
    curl_mime *form;
    char fault[CURL_ERROR_SIZE];
    bool refused; // the last address that was tried points inward
};

static void start_library(void) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

void http_client_start(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_library);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context) {
    struct exchange *exchange = context;
    const struct http_request *request = exchange->request;
    size_t length = size * count;
    long status = 0;
    curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
    if (request->sink && status < 300)
        return request->sink(request->sink_context, bytes, length) ? length : CURL_WRITEFUNC_ERROR;
    struct buffer *body = &exchange->answer->body;
    size_t room = body->maximum - body->length;
    buffer_append(body, bytes, request->excerpt && length > room ? room : length);
    return exchange->answer->body.failed ? CURL_WRITEFUNC_ERROR : length;
}

// Every connection comes through here with the address that its name has now: an answer of the
// domain name system cannot be one thing when it is checked and another when it is used.
static curl_socket_t open_outward(
    void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    struct exchange *exchange = context;
    exchange->refused = purpose != CURLSOCKTYPE_IPCXN || address_is_inward(&address->addr);
    if (exchange->refused) return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static bool set_guard(struct exchange *exchange) {
    CURL *curl = exchange->curl;
    if (!exchange->request->outward) return true;
    return curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_outward) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, exchange) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK;
}

static bool add_headers(struct exchange *exchange) {
    for (size_t i = 0; i < exchange->request->header_count; i++) {
        struct curl_slist *longer =
            curl_slist_append(exchange->headers, exchange->request->headers[i]);
        if (!longer) return false;
        exchange->headers = longer;
    }
    return curl_easy_setopt(exchange->curl, CURLOPT_HTTPHEADER, exchange->headers) == CURLE_OK;
}

static bool add_part(struct exchange *exchange, const struct http_part *part) {
    curl_mimepart *made = curl_mime_addpart(exchange->form);
    if (!made || curl_mime_name(made, part->name) != CURLE_OK) return false;
    if (part->text) return curl_mime_data(made, part->text, CURL_ZERO_TERMINATED) == CURLE_OK;
    return curl_mime_filedata(made, part->path) == CURLE_OK;
}

static bool add_body(struct exchange *exchange) {
    const struct http_request *request = exchange->request;
    CURL *curl = exchange->curl;
    if (request->part_count > 0) {
        exchange->form = curl_mime_init(curl);
        for (size_t i = 0; exchange->form && i < request->part_count; i++)
            if (!add_part(exchange, &request->parts[i])) return false;
        return exchange->form &&
               curl_easy_setopt(curl, CURLOPT_MIMEPOST, exchange->form) == CURLE_OK;
    }
    if (!request->body) return true;
    return curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length) ==
               CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body) == CURLE_OK;
}

static bool set_redirects(const struct exchange *exchange) {
    const struct http_request *request = exchange->request;
    CURL *curl = exchange->curl;
    const char *protocols = strncmp(request->url, "https://", 8) ? "http,https" : "https";
    return curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, request->follow ? 1L : 0L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, protocols) == CURLE_OK &&
           (!request->token ||
               (curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER) == CURLE_OK &&
                   curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, request->token) == CURLE_OK));
}

// Only HTTP. Where redirects are not followed, an answer of that kind is an answer.
static bool set_options(struct exchange *exchange) {
    const struct http_request *request = exchange->request;
    CURL *curl = exchange->curl;
    return curl_easy_setopt(curl, CURLOPT_URL, request->url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange->fault) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)request->timeout_seconds) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_USERAGENT, HTTP_USER_AGENT) == CURLE_OK &&
           set_redirects(exchange) && set_guard(exchange) && add_headers(exchange) &&
           add_body(exchange) &&
           curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
}

static void read_headers(const struct exchange *exchange) {
    struct http_answer *answer = exchange->answer;
    struct curl_header *header;
    curl_off_t seconds = 0;
    curl_easy_getinfo(exchange->curl, CURLINFO_RETRY_AFTER, &seconds);
    answer->retry_after = (long)seconds;
    if (curl_easy_header(exchange->curl, "x-error-code", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        snprintf(answer->error_code, sizeof answer->error_code, "%s", header->value);
}

static bool perform(struct exchange *exchange, struct error *error) {
    long status = 0;
    if (!set_options(exchange))
        return error_set(error, ERROR_INVALID,
            "cannot prepare a request to %.200s: a file that "
            "cannot be read, or an address that is none",
            exchange->request->url);
    CURLcode code = curl_easy_perform(exchange->curl);
    if (code == CURLE_COULDNT_CONNECT && exchange->request->outward && exchange->refused)
        return error_set(error, ERROR_UNSUPPORTED,
            "%.200s leads to this machine or its own network, which is not allowed",
            exchange->request->url);
    if (code != CURLE_OK)
        return error_set(error, ERROR_IO, "%s %.200s: %s", exchange->request->method,
            exchange->request->url,
            exchange->fault[0] ? exchange->fault : curl_easy_strerror(code));
    curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
    exchange->answer->status = (int)status;
    read_headers(exchange);
    return true;
}

bool http_client_send(const struct http_request *request, size_t maximum,
    struct http_answer *answer, struct error *error) {
    struct exchange exchange = {.request = request, .answer = answer};
    http_client_start();
    *answer = (struct http_answer){0};
    buffer_init(&answer->body, maximum);
    exchange.curl = curl_easy_init();
    bool good = exchange.curl ? perform(&exchange, error)
                              : error_set(error, ERROR_MEMORY, "memory is short for a request");
    curl_mime_free(exchange.form);
    curl_slist_free_all(exchange.headers);
    curl_easy_cleanup(exchange.curl);
    if (!good) http_answer_free(answer);
    return good;
}

void http_answer_free(struct http_answer *answer) {
    buffer_free(&answer->body);
}
