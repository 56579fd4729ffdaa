// The shapes of all objects that the API takes and gives (service/fields.h says what a shape is).
// Each is defined in its resource's file; those that several share in shapes.c.
#ifndef SERVICE_SHAPES_H
#define SERVICE_SHAPES_H

#include "service/fields.h"

// Shared.
extern const struct shape page_query_shape; // limit and after: 20, at most 100
extern const struct shape deleted_shape;    // {"id", "object", "deleted"}
extern const struct shape error_shape;      // {"error": {"message", "type", "param", "code"}}
extern const struct shape health_shape;

extern const struct shape file_query_shape, file_form_shape, file_shape;
extern const struct shape expires_after_shape;
extern const struct shape api_key_request_shape, api_key_shape;
extern const struct shape batch_query_shape, job_check_shape;
extern const struct shape usage_query_shape, usage_answers_shape, usage_jobs_shape;
extern const struct shape job_curves_shape, job_curves_query_shape, job_curves_list_query_shape;
extern const struct shape session_request_shape, session_shape, session_deleted_shape;
extern const struct shape upload_request_shape, part_form_shape, complete_shape;
extern const struct shape upload_shape, part_shape;
extern const struct shape job_query_shape, event_query_shape;
extern const struct shape job_request_shape, job_shape;
extern const struct shape event_shape, checkpoint_query_shape, checkpoint_shape;
extern const struct shape model_query_shape, model_shape;
extern const struct shape webhook_request_shape, webhook_update_shape, webhook_endpoint_shape;
extern const struct shape webhook_delivery_shape, callback_secret_shape;
extern const struct shape batch_request_shape, batch_shape;
extern const struct shape chat_request_shape, chat_shape;

// What the lists of route tables' queries begin with.
#define SHAPE_SEARCH_FIELD(about_it)                                                               \
    { "search", FIELD_STRING, .minimum = 1, .maximum = 200, .about = (about_it) }

#define SHAPE_PAGE_FIELDS(standard_limit, limit_maximum)                                           \
    {"limit", FIELD_INTEGER, .minimum = 1, .maximum = (limit_maximum),                             \
        .standard = #standard_limit, .about = "How many objects a page has at most."},             \
    {                                                                                              \
        "after", FIELD_STRING, .minimum = 1, .maximum = 256,                                       \
                               .about = "The id of the last object of the page before."            \
    }

// Fields of answers, most of which are of few kinds.
#define SHAPE_TEXT(name)                                                                           \
    { name, FIELD_STRING, FIELD_REQUIRED }
#define SHAPE_TEXT_OR_NULL(name)                                                                   \
    { name, FIELD_STRING, FIELD_REQUIRED, .nullable = true }
#define SHAPE_COUNT(name)                                                                          \
    { name, FIELD_INTEGER, FIELD_REQUIRED }
#define SHAPE_COUNT_OR_NULL(name)                                                                  \
    { name, FIELD_INTEGER, FIELD_REQUIRED, .nullable = true }
#define SHAPE_NUMBER_OR_NULL(name)                                                                 \
    { name, FIELD_NUMBER, .nullable = true }
#define SHAPE_FLAG(name)                                                                           \
    { name, FIELD_BOOLEAN, FIELD_REQUIRED }

#endif
