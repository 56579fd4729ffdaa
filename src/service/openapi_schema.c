// One function a kind of field.
#include "service/openapi_schema.h"
#include <string.h>

static const char *type_name(enum field_type type) {
    static const char *const names[] = {
        [FIELD_STRING] = "string",
        [FIELD_INTEGER] = "integer",
        [FIELD_NUMBER] = "number",
        [FIELD_BOOLEAN] = "boolean",
        [FIELD_ARRAY] = "array",
        [FIELD_OBJECT] = "object",
        [FIELD_FILE] = "string",
        [FIELD_ANY] = NULL,
    };
    return names[type];
}

static json_t *parse(const char *text) {
    return json_loads(text, JSON_DECODE_ANY, NULL);
}

json_t *openapi_reference(const struct shape *shape) {
    return json_pack("{s:s+}", "$ref", "#/components/schemas/", shape->name);
}

// What is refused unless it asks for nothing.
static json_t *unsupported(const struct field *field) {
    json_t *values = json_array();
    if (field->neutral) json_array_append_new(values, parse(field->neutral));
    json_array_append_new(values, json_null());
    return json_pack("{s:o}", "enum", values);
}

static void add_range(json_t *schema, const struct field *field) {
    bool text = field->type == FIELD_STRING;
    if (field->maximum <= 0 ||
        (!text && field->type != FIELD_INTEGER && field->type != FIELD_NUMBER))
        return;
    if (text) {
        json_object_set_new(schema, "minLength", json_integer((json_int_t)field->minimum));
        json_object_set_new(schema, "maxLength", json_integer((json_int_t)field->maximum));
    } else if (field->type == FIELD_INTEGER) {
        json_object_set_new(schema, "minimum", json_integer((json_int_t)field->minimum));
        json_object_set_new(schema, "maximum", json_integer((json_int_t)field->maximum));
    } else {
        json_object_set_new(schema, "minimum", json_real(field->minimum));
        json_object_set_new(schema, "maximum", json_real(field->maximum));
    }
}

static void add_values(json_t *schema, const struct field *field, bool nullable) {
    if (!field->values) return;
    json_t *values = json_array();
    for (size_t i = 0; field->values[i]; i++)
        json_array_append_new(values, json_string(field->values[i]));
    if (nullable) json_array_append_new(values, json_null());
    json_object_set_new(schema, "enum", values);
}

static void add_items(json_t *schema, const struct field *field) {
    json_t *items = json_object();
    if (field->type != FIELD_ARRAY) {
        json_decref(items);
        return;
    }
    if (field->shape) {
        json_decref(items);
        items = openapi_reference(field->shape);
    } else if (type_name(field->items)) {
        json_object_set_new(items, "type", json_string(type_name(field->items)));
    }
    json_object_set_new(schema, "items", items);
}

static void add_type(json_t *schema, const struct field *field, bool nullable) {
    const char *name = type_name(field->type);
    if (!name) return;
    json_object_set_new(
        schema, "type", nullable ? json_pack("[s, s]", name, "null") : json_string(name));
    if (field->type == FIELD_FILE)
        json_object_set_new(schema, "contentMediaType", json_string("application/octet-stream"));
}

static json_t *plain(const struct field *field, bool nullable) {
    json_t *schema = json_object();
    if (field->type == FIELD_OBJECT && field->shape) {
        json_t *reference = openapi_reference(field->shape);
        json_decref(schema);
        return nullable ? json_pack("{s:[o, {s:s}]}", "anyOf", reference, "type", "null")
                        : reference;
    }
    add_type(schema, field, nullable);
    add_range(schema, field);
    add_values(schema, field, nullable);
    add_items(schema, field);
    return schema;
}

json_t *openapi_field(const struct field *field, bool answer) {
    bool nullable = answer ? field->nullable : field->use != FIELD_REQUIRED;
    json_t *schema = field->schema                     ? parse(field->schema)
                     : field->use == FIELD_UNSUPPORTED ? unsupported(field)
                                                       : plain(field, nullable);
    if (field->about) json_object_set_new(schema, "description", json_string(field->about));
    if (field->standard) json_object_set_new(schema, "default", parse(field->standard));
    return schema;
}

void openapi_add_shape(json_t *schemas, const struct shape *shape, bool answer) {
    if (!shape || json_object_get(schemas, shape->name)) return;
    json_t *properties = json_object(), *required = json_array();
    for (size_t i = 0; i < shape->count; i++) {
        const struct field *field = &shape->fields[i];
        json_object_set_new(properties, field->name, openapi_field(field, answer));
        if (field->use == FIELD_REQUIRED) json_array_append_new(required, json_string(field->name));
    }
    json_t *schema = json_pack(
        "{s:s, s:o, s:b}", "type", "object", "properties", properties, "additionalProperties", 0);
    if (json_array_size(required)) json_object_set(schema, "required", required);
    json_decref(required);
    json_object_set_new(schemas, shape->name, schema);
    for (size_t i = 0; i < shape->count; i++)
        openapi_add_shape(schemas, shape->fields[i].shape, answer);
}
