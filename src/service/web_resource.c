// The platform's pages: one document for every address of a page, whose script shows what the
// address names, and its assets. They may do nothing but what this server's own files do: no
// script, style, font or image comes from elsewhere, nothing is sent elsewhere, and no other page
// may frame them.
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/web_assets.h"
#include <string.h>

static const char content_security_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

static const struct web_asset *find(const char *path) {
    for (size_t i = 0; i < web_asset_count; i++)
        if (strcmp(web_assets[i].path, path) == 0) return &web_assets[i];
    return NULL;
}

static bool takes_gzip(const struct request *request) {
    const char *accepted = request->accept_encoding;
    const char *gzip = accepted ? strstr(accepted, "gzip") : NULL;
    return gzip && strncmp(gzip + 4, ";q=0", 4) != 0;
}

static void add_headers(struct reply *reply) {
    reply_header(reply, "content-security-policy", "%s", content_security_policy);
    reply_header(reply, "x-frame-options", "DENY");
    reply_header(reply, "referrer-policy", "no-referrer");
    reply_header(reply, "cross-origin-opener-policy", "same-origin");
    reply_header(reply, "cross-origin-resource-policy", "same-origin");
}

static void send_asset(const struct request *request, const struct web_asset *asset,
    const char *cache_control, struct reply *reply) {
    if (request->if_none_match && strstr(request->if_none_match, asset->etag))
        reply_bytes(reply, 304, asset->content_type, "", 0);
    else if (asset->gzip_length && takes_gzip(request))
        reply_bytes(reply, 200, asset->content_type, asset->gzip, asset->gzip_length);
    else
        reply_bytes(reply, 200, asset->content_type, asset->bytes, asset->length);
    if (reply->length && asset->gzip_length && takes_gzip(request))
        reply_header(reply, "content-encoding", "gzip");
    reply_header(reply, "vary", "accept-encoding");
    reply_header(reply, "etag", "%s", asset->etag);
    reply->cache_control = cache_control;
    add_headers(reply);
}

void web_get_page(struct service *service, struct request *request, struct reply *reply) {
    (void)service;
    const struct web_asset *page = find("/");
    if (page)
        send_asset(request, page, "no-cache", reply);
    else
        reply_text(reply, 200, "text/plain; charset=utf-8",
            "This is temper " TEMPER_VERSION ", built without its pages (cmake -DWEB=OFF). Its API "
            "stands at /v1, and is described at /openapi.json.\n");
}

void web_get_lost(struct service *service, struct request *request, struct reply *reply) {
    web_get_page(service, request, reply);
    if (reply->status == 200) reply->status = 404;
}

void web_get_asset(struct service *service, struct request *request, struct reply *reply) {
    (void)service;
    const struct web_asset *asset = find(request->path);
    if (asset)
        send_asset(request, asset,
            strcmp(request->path, "/favicon.svg") == 0 ? "no-cache"
                                                       : "public, max-age=31536000, immutable",
            reply);
    else
        reply_error(reply, 404, "unknown_url", NULL, "The platform has no file %.200s; reload it.",
            request->path);
}
