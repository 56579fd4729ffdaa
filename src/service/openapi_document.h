// The API's own description, https://spec.openapis.org/oas/v3.1.0, made of the tables that requests
// are checked by: what it says is what holds.
#ifndef SERVICE_OPENAPI_DOCUMENT_H
#define SERVICE_OPENAPI_DOCUMENT_H

#include "service/route.h"
#include <jansson.h>

// The whole document (json_decref), NULL where memory is short.
json_t *openapi_document(const struct route *routes, size_t count);

#endif
