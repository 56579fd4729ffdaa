// The platform's pages as they were built from web/ (web/embed.mjs writes the table): bytes within
// the binary, as they are and compressed.
#ifndef SERVICE_WEB_ASSETS_H
#define SERVICE_WEB_ASSETS_H

#include <stddef.h>

struct web_asset {
    const char *path; // as it is asked for: "/assets/main-1a2b3c.js"; of the page itself "/"
    const char *content_type;
    const char *etag; // quoted, of the bytes
    const unsigned char *bytes, *gzip;
    size_t length, gzip_length; // gzip_length 0: does not become smaller
};

extern const struct web_asset web_assets[];
extern const size_t web_asset_count; // 0 in a build without pages (cmake -DWEB=OFF)

#endif
