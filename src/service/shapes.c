// The shapes that several resources share.
#include "service/shapes.h"

static const struct field page_query_fields[] = {SHAPE_PAGE_FIELDS(20, 100)};
const struct shape page_query_shape = SHAPE("PageQuery", page_query_fields);

static const struct field deleted_fields[] = {
    SHAPE_TEXT("id"),
    SHAPE_TEXT("object"),
    SHAPE_FLAG("deleted"),
};
const struct shape deleted_shape = SHAPE("Deleted", deleted_fields);

static const struct field error_inner_fields[] = {
    {"message", FIELD_STRING, FIELD_REQUIRED, .about = "What is wrong, and what to do."},
    SHAPE_TEXT("type"),
    {"param", FIELD_STRING, FIELD_REQUIRED, .nullable = true, .about = "The field at fault."},
    SHAPE_TEXT_OR_NULL("code"),
};
static const struct shape error_inner_shape = SHAPE("ErrorObject", error_inner_fields);
static const struct field error_fields[] = {
    {"error", FIELD_OBJECT, FIELD_REQUIRED, .shape = &error_inner_shape},
};
const struct shape error_shape = SHAPE("Error", error_fields);
