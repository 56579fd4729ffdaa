// Texts made from patterns.
#ifndef MODEL_TEMPLATE_FORMAT_H
#define MODEL_TEMPLATE_FORMAT_H

#include "model/template/template_run.h"

// pattern|format(values), and "{}".format(values).
bool template_format_filter(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) WARN_UNUSED;
bool template_format_method(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) WARN_UNUSED;

// ---- what the filters share with the methods of strings ----

bool template_strip(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) WARN_UNUSED;
bool template_replace(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) WARN_UNUSED;
bool template_upper(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) WARN_UNUSED;
bool template_lower(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) WARN_UNUSED;
bool template_capitalize(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) WARN_UNUSED;
bool template_center(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) WARN_UNUSED;

// The title filter, which cuts words otherwise than the method does.
bool template_title_filter(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) WARN_UNUSED;

// The lines of a text, as str.splitlines gives them.
bool template_lines(
    struct run *run, const struct value *text, bool keep_ends, struct value *result) WARN_UNUSED;

#endif
