// Shapes as JSON Schema (2020-12, as OpenAPI 3.1 has it).
#ifndef SERVICE_OPENAPI_SCHEMA_H
#define SERVICE_OPENAPI_SCHEMA_H

#include "service/fields.h"

// Adds the shape's schema, and those of all that it holds, to `schemas` by name. In an answer
// every field may be relied on; in a request every optional one may also be null.
void openapi_add_shape(json_t *schemas, const struct shape *shape, bool answer);

// {"$ref": "#/components/schemas/Name"}
json_t *openapi_reference(const struct shape *shape);

// The schema of one field: of a parameter, or of a member.
json_t *openapi_field(const struct field *field, bool answer);

#endif
