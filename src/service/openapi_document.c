// The document: paths from the table of routes, schemas from the shapes.
#include "service/openapi_document.h"
#include "service/openapi_schema.h"
#include "service/shapes.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 128 };

static const char about[] =
    "Fine-tuning and chat, on your own machine: the API that clients of OpenAI's and of "
    "kluster.ai's "
    "fine-tuning services speak. Every error is {\"error\": {\"message\", \"type\", \"param\", "
    "\"code\"}}.";

// "/v1/models/{model*}" without the star.
static void plain_path(char *path, const char *pattern) {
    size_t length = 0;
    for (; *pattern && length + 1 < NAME_SIZE; pattern++)
        if (*pattern != '*') path[length++] = *pattern;
    path[length] = '\0';
}

// The word behind "/v1/": what the documentation groups by.
static json_t *tag(const char *pattern) {
    const char *start = strncmp(pattern, "/v1/", 4) == 0 ? pattern + 4 : NULL;
    return start ? json_stringn(start, strcspn(start, "/")) : json_string("server");
}

static void add_path_parameters(json_t *parameters, const char *pattern) {
    for (const char *open = strchr(pattern, '{'); open; open = strchr(open + 1, '{')) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(open + 1, "*}"), open + 1);
        json_array_append_new(
            parameters, json_pack("{s:s, s:s, s:b, s:{s:s, s:i}}", "name", name, "in", "path",
                            "required", 1, "schema", "type", "string", "minLength", 1));
    }
}

// "metadata[]" stands for all "metadata[key]".
static json_t *open_parameter(const char *name, size_t length) {
    return json_pack("{s:s%, s:s, s:s, s:b, s:{s:s, s:{s:s}}}", "name", name, length, "in", "query",
        "style", "deepObject", "explode", 1, "schema", "type", "object", "additionalProperties",
        "type", "string");
}

// Whether "name[]" is there, too: OpenAPI has one parameter of a name.
static bool is_open(const struct shape *query, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < query->count; i++)
        if (strncmp(query->fields[i].name, name, length) == 0 &&
            strcmp(query->fields[i].name + length, "[]") == 0)
            return true;
    return false;
}

static void add_query_parameters(json_t *parameters, const struct shape *query) {
    for (size_t i = 0; query && i < query->count; i++) {
        const struct field *field = &query->fields[i];
        size_t length = strlen(field->name);
        if (length > 2 && strcmp(field->name + length - 2, "[]") == 0) {
            json_array_append_new(parameters, open_parameter(field->name, length - 2));
            continue;
        }
        if (is_open(query, field->name)) continue;
        json_array_append_new(parameters,
            json_pack("{s:s, s:s, s:b, s:o}", "name", field->name, "in", "query", "required",
                field->use == FIELD_REQUIRED, "schema", openapi_field(field, true)));
    }
}

static void add_body(json_t *operation, json_t *schemas, const struct route *route) {
    if (!route->request) return;
    const char *type = route->body == ROUTE_BODY_FORM ? "multipart/form-data" : "application/json";
    openapi_add_shape(schemas, route->request, false);
    json_object_set_new(operation, "requestBody",
        json_pack("{s:b, s:{s:{s:o}}}", "required", 1, "content", type, "schema",
            openapi_reference(route->request)));
}

static json_t *list_schema(const struct shape *shape) {
    return json_pack(
        "{s:s, s:[s, s, s], s:{s:{s:s}, s:{s:s, s:o}, s:{s:[s, s]}, s:{s:[s, s]}, s:{s:s}}}",
        "type", "object", "required", "object", "data", "has_more", "properties", "object", "const",
        "list", "data", "type", "array", "items", openapi_reference(shape), "first_id", "type",
        "string", "null", "last_id", "type", "string", "null", "has_more", "type", "boolean");
}

static json_t *answer_content(json_t *schemas, const struct route *route) {
    json_t *content = json_object();
    if (route->answer) {
        openapi_add_shape(schemas, route->answer, true);
        json_object_set_new(content, "application/json",
            json_pack("{s:o}", "schema",
                route->lists ? list_schema(route->answer) : openapi_reference(route->answer)));
    }
    if (route->answer_type)
        json_object_set_new(content, route->answer_type, json_pack("{s:{}}", "schema"));
    if (route->streams)
        json_object_set_new(content, "text/event-stream", json_pack("{s:{}}", "schema"));
    return content;
}

static json_t *responses(json_t *schemas, const struct route *route) {
    char status[16];
    snprintf(status, sizeof status, "%d", route->status ? route->status : 200);
    return json_pack("{s:{s:s, s:o}, s:{s:s, s:{s:{s:o}}}}", status, "description", "Success.",
        "content", answer_content(schemas, route), "default", "description",
        "What is wrong, and what to do.", "content", "application/json", "schema",
        openapi_reference(&error_shape));
}

static json_t *operation(json_t *schemas, const struct route *route) {
    json_t *parameters = json_array();
    add_path_parameters(parameters, route->pattern);
    add_query_parameters(parameters, route->query);
    json_t *object = json_pack("{s:s, s:s, s:[o], s:o, s:o}", "operationId", route->name, "summary",
        route->summary ? route->summary : "", "tags", tag(route->pattern), "parameters", parameters,
        "responses", responses(schemas, route));
    if (route->open) json_object_set_new(object, "security", json_array());
    add_body(object, schemas, route);
    return object;
}

static void add_route(json_t *paths, json_t *schemas, const struct route *route) {
    char path[NAME_SIZE], method[16] = "";
    plain_path(path, route->pattern);
    for (size_t i = 0; route->method[i] && i < sizeof method - 1; i++)
        method[i] = (char)tolower((unsigned char)route->method[i]);
    json_t *methods = json_object_get(paths, path);
    if (!methods) {
        methods = json_object();
        json_object_set_new(paths, path, methods);
    }
    json_object_set_new(methods, method, operation(schemas, route));
}

json_t *openapi_document(const struct route *routes, size_t count) {
    json_t *paths = json_object(), *schemas = json_object();
    openapi_add_shape(schemas, &error_shape, true);
    for (size_t i = 0; i < count; i++)
        if (!routes[i].page) add_route(paths, schemas, &routes[i]);
    return json_pack(
        "{s:s, s:{s:s, s:s, s:s}, s:[{s:s}], s:[{s:[]}], s:o, s:{s:o, s:{s:{s:s, s:s}}}}",
        "openapi", "3.1.0", "info", "title", "temper", "version", TEMPER_VERSION, "description",
        about, "servers", "url", "/", "security", "key", "paths", paths, "components", "schemas",
        schemas, "securitySchemes", "key", "type", "http", "scheme", "bearer");
}
