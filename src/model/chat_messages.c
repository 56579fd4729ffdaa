// The messages of a chat: what they may be, and how templates get them.
#include "base/memory.h"
#include "model/chat_internal.h"
#include <stdlib.h>
#include <string.h>

static const char *plain_role(const char *role) {
    static const char *const roles[][2] = {{"system", "system"}, {"developer", "system"},
        {"user", "user"}, {"assistant", "assistant"}, {"tool", "tool"}};
    for (size_t i = 0; role && i < sizeof roles / sizeof *roles; i++)
        if (!strcmp(role, roles[i][0])) return roles[i][1];
    return NULL;
}

// The member, NULL where it is absent or null.
static json_t *member(const json_t *object, const char *name) {
    json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

// ---- checking ----

static bool is_text_part(const json_t *part) {
    const char *type = json_string_value(json_object_get(part, "type"));
    return type && !strcmp(type, "text") && json_is_string(json_object_get(part, "text"));
}

static bool check_content(const json_t *content, bool needed, size_t number, struct error *error) {
    if (!content && !needed) return true;
    if (!json_is_string(content) && !json_is_array(content))
        return error_set(error, ERROR_INVALID,
            "message %zu has no \"content\" that is a text; give it one, as in {\"role\": "
            "\"user\", \"content\": \"Hello\"}",
            number);
    for (size_t i = 0; i < json_array_size(content); i++)
        if (!is_text_part(json_array_get(content, i)))
            return error_set(error, ERROR_INVALID,
                "message %zu has content that is not text; only {\"type\": \"text\", \"text\": …} "
                "parts can be trained on",
                number);
    return true;
}

// Names by which other things of a message go that this program does not do.
static bool check_others(const json_t *message, size_t number, struct error *error) {
    static const struct {
        const char *name, *advice;
    } rows[] = {{"function_call", "write \"tool_calls\" in its place"},
        {"refusal", "write what is to be answered as \"content\""},
        {"audio", "only text can be trained on"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (member(message, rows[i].name))
            return error_set(error, ERROR_INVALID,
                "message %zu has \"%s\", which is not supported; %s", number, rows[i].name,
                rows[i].advice);
    return true;
}

static bool check_call(const json_t *call, size_t number, size_t which, struct error *error) {
    const json_t *function = json_object_get(call, "function"),
                 *arguments = json_object_get(function, "arguments"), *id = member(call, "id");
    const char *type = json_string_value(json_object_get(call, "type"));
    if (!json_is_string(json_object_get(function, "name")) ||
        (member(call, "type") && (!type || strcmp(type, "function"))) ||
        (id && !json_is_string(id)))
        return error_set(error, ERROR_INVALID,
            "message %zu, call %zu, is not {\"id\": …, \"type\": \"function\", \"function\": "
            "{\"name\": …, \"arguments\": …}}",
            number, which);
    if (json_is_object(arguments)) return true;
    json_t *read = json_loadb(json_string_value(arguments) ? json_string_value(arguments) : "",
        json_string_length(arguments), JSON_REJECT_DUPLICATES, NULL);
    bool ok = json_is_object(read);
    json_decref(read);
    return ok ||
           error_set(error, ERROR_INVALID,
               "message %zu, call %zu, has \"arguments\" that are not a JSON object as a text; "
               "write \"{}\" where there are none",
               number, which);
}

static bool check_calls(
    const json_t *message, const char *role, size_t number, struct error *error) {
    const json_t *calls = member(message, "tool_calls");
    if (!calls) return true;
    if (!json_is_array(calls) || json_array_size(calls) > CHAT_MAX_TOOLS)
        return error_set(error, ERROR_INVALID,
            "message %zu has \"tool_calls\" that are not a list of at most %d", number,
            CHAT_MAX_TOOLS);
    if (strcmp(role, "assistant") && json_array_size(calls))
        return error_set(error, ERROR_INVALID,
            "message %zu calls tools, but its role is %s; only the assistant does", number, role);
    for (size_t i = 0; i < json_array_size(calls); i++)
        if (!check_call(json_array_get(calls, i), number, i + 1, error)) return false;
    return true;
}

static bool check_texts(const json_t *message, size_t number, struct error *error) {
    static const char *const names[] = {
        "name", "tool_call_id", "reasoning_content", "thinking", "reasoning"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *value = member(message, names[i]);
        if (value && !json_is_string(value))
            return error_set(error, ERROR_INVALID, "message %zu has a \"%s\" that is not a text",
                number, names[i]);
    }
    return true;
}

static bool check_message(
    const json_t *message, size_t number, bool *answers, struct error *error) {
    if (!json_is_object(message))
        return error_set(error, ERROR_INVALID,
            "message %zu is not an object; write {\"role\": …, \"content\": …}", number);
    const json_t *role = json_object_get(message, "role");
    if (!json_is_string(role))
        return error_set(error, ERROR_INVALID,
            "message %zu has no \"role\"; it must be system, user, assistant or tool", number);
    const char *plain = plain_role(json_string_value(role));
    if (!plain)
        return error_set(error, ERROR_INVALID,
            "message %zu has the unknown role \"%.40s\"; it must be system, user, assistant or "
            "tool",
            number, json_string_value(role));
    bool calls = json_array_size(json_object_get(message, "tool_calls")) > 0;
    if (!check_others(message, number, error) || !check_calls(message, plain, number, error) ||
        !check_content(member(message, "content"), !calls, number, error) ||
        !check_texts(message, number, error))
        return false;
    const json_t *weight = member(message, "weight");
    if (weight && !(json_is_integer(weight) && (json_integer_value(weight) & ~1) == 0))
        return error_set(
            error, ERROR_INVALID, "message %zu has a \"weight\" that is neither 0 nor 1", number);
    if (!strcmp(plain, "assistant") && (!weight || json_integer_value(weight))) *answers = true;
    return true;
}

static bool check_messages(const json_t *messages, bool *answers, struct error *error) {
    if (!json_is_array(messages))
        return error_set(error, ERROR_INVALID,
            "\"messages\" is not a list; write {\"messages\": [{\"role\": …, \"content\": …}, …]}");
    size_t count = json_array_size(messages);
    if (!count || count > CHAT_MAX_MESSAGES)
        return error_set(error, ERROR_INVALID,
            "\"messages\" has %zu messages; an example has 1 to %d", count, CHAT_MAX_MESSAGES);
    for (size_t i = 0; i < count; i++)
        if (!check_message(json_array_get(messages, i), i + 1, answers, error)) return false;
    return true;
}

static bool check_tools(const json_t *tools, struct error *error) {
    if (!json_is_array(tools) || json_array_size(tools) > CHAT_MAX_TOOLS)
        return error_set(
            error, ERROR_INVALID, "\"tools\" is not a list of at most %d tools", CHAT_MAX_TOOLS);
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *tool = json_array_get(tools, i),
                     *function = json_object_get(tool, "function");
        const json_t *parameters = member(function, "parameters");
        const char *type = json_string_value(json_object_get(tool, "type"));
        if (!type || strcmp(type, "function") ||
            !json_is_string(json_object_get(function, "name")) ||
            (parameters && !json_is_object(parameters)))
            return error_set(error, ERROR_INVALID,
                "tool %zu is not {\"type\": \"function\", \"function\": {\"name\": …, "
                "\"description\": …, \"parameters\": {…}}}",
                i + 1);
    }
    return true;
}

bool chat_read(struct chat *chat, const json_t *root, struct error *error) {
    const json_t *tools = member(root, "tools"), *parallel = member(root, "parallel_tool_calls");
    bool answers = false;
    chat->messages = json_object_get(root, "messages");
    chat->tools = json_array_size(tools) ? tools : NULL;
    if (member(root, "functions") || member(root, "function_call"))
        return error_set(error, ERROR_INVALID,
            "it has \"functions\", the older form; write \"tools\": [{\"type\": \"function\", "
            "\"function\": …}] in its place");
    if (parallel && !json_is_boolean(parallel))
        return error_set(error, ERROR_INVALID, "\"parallel_tool_calls\" is neither true nor false");
    return check_messages(chat->messages, &answers, error) && (!tools || check_tools(tools, error));
}

bool chat_has_answers(const struct chat *chat, struct error *error) {
    bool answers = false;
    return check_messages(chat->messages, &answers, error) &&
           (answers ||
               error_set(error, ERROR_INVALID,
                   "no assistant message to learn from; add {\"role\": \"assistant\", \"content\": "
                   "the answer you want} (and not with \"weight\": 0 everywhere)"));
}

// ---- as templates know them ----

static json_t *joined_parts(const json_t *content) {
    size_t length = 0, at = 0;
    for (size_t i = 0; i < json_array_size(content); i++)
        length += json_string_length(json_object_get(json_array_get(content, i), "text"));
    char *text = memory_alloc(length + 1);
    for (size_t i = 0; text && i < json_array_size(content); i++) {
        const json_t *part = json_object_get(json_array_get(content, i), "text");
        memcpy(text + at, json_string_value(part), json_string_length(part));
        at += json_string_length(part);
    }
    json_t *joined = text ? json_stringn(text, length) : NULL;
    memory_free(text);
    return joined;
}

// transformers' documentation has arguments as objects; OpenAI's clients send them as JSON in a
// text.
static json_t *plain_arguments(json_t *arguments, bool as_text, struct error *error) {
    char *written = NULL;
    json_t *made = NULL;
    if (json_is_string(arguments) == as_text) return json_incref(arguments);
    if (as_text) {
        written = json_dumps(arguments, 0);
        made = written ? json_string(written) : NULL;
        free(written);
    } else {
        made = json_loadb(json_string_value(arguments), json_string_length(arguments),
            JSON_REJECT_DUPLICATES, NULL);
    }
    if (!made)
        error_set(
            error, ERROR_INVALID, "a tool call's \"arguments\" are not a JSON object as a text");
    return made;
}

static json_t *plain_calls(const json_t *calls, bool as_text, struct error *error) {
    json_t *plain = json_deep_copy(calls);
    for (size_t i = 0; plain && i < json_array_size(plain); i++) {
        json_t *function = json_object_get(json_array_get(plain, i), "function");
        json_t *arguments = json_object_get(function, "arguments");
        json_t *made = arguments ? plain_arguments(arguments, as_text, error) : NULL;
        if (arguments && (!made || json_object_set_new(function, "arguments", made))) {
            json_decref(plain);
            return NULL;
        }
    }
    if (!plain) memory_error(error, "a chat's tool calls");
    return plain;
}

// One member of a message: a new reference, or NULL with an error.
static json_t *plain_member(
    const char *name, json_t *value, enum chat_calls calls, struct error *error) {
    if (!strcmp(name, "tool_calls"))
        return plain_calls(value, calls == CHAT_CALLS_AS_CLIENTS_DO, error);
    const char *role = strcmp(name, "role") ? NULL : plain_role(json_string_value(value));
    json_t *made = role                                               ? json_string(role)
                   : !strcmp(name, "content") && json_is_array(value) ? joined_parts(value)
                                                                      : json_incref(value);
    if (!made) memory_error(error, "a chat");
    return made;
}

static bool is_left_out(const char *name, const json_t *value) {
    return json_is_null(value) || !strcmp(name, "weight") ||
           (!strcmp(name, "tool_calls") && !json_array_size(value));
}

// Reasoning goes by several names; templates read the first or the second.
static bool alias_reasoning(json_t *message) {
    static const char *const names[] = {"reasoning_content", "thinking", "reasoning"};
    json_t *reasoning = NULL;
    for (size_t i = 0; i < 3 && !reasoning; i++)
        reasoning = json_object_get(message, names[i]);
    if (!reasoning) return true;
    bool older =
        json_object_get(message, "thinking") || !json_object_set(message, "thinking", reasoning);
    return older && !json_object_set(message, "reasoning_content", reasoning);
}

static bool add_missing_content(json_t *message, enum chat_calls calls) {
    if (calls == CHAT_CALLS_PLAIN || !json_object_get(message, "tool_calls") ||
        json_object_get(message, "content"))
        return true;
    return !json_object_set_new(
        message, "content", calls == CHAT_CALLS_WITH_CONTENT ? json_string("") : json_null());
}

static json_t *plain_message(const json_t *message, enum chat_calls calls, struct error *error) {
    json_t *plain = json_object(), *value;
    const char *name;
    bool ok = plain != NULL;
    if (!ok) memory_error(error, "a chat");
    json_object_foreach((json_t *)message, name, value) {
        if (!ok || is_left_out(name, value)) continue;
        json_t *made = plain_member(name, value, calls, error);
        ok = made && (!json_object_set_new(plain, name, made) || memory_error(error, "a chat"));
    }
    if (ok && ((alias_reasoning(plain) && add_missing_content(plain, calls)) ||
                  memory_error(error, "a chat")))
        return plain;
    json_decref(plain);
    return NULL;
}

json_t *chat_plain_messages(const json_t *messages, enum chat_calls calls, struct error *error) {
    json_t *plain = json_array();
    bool ok = plain || memory_error(error, "a chat");
    for (size_t i = 0; ok && i < json_array_size(messages); i++) {
        json_t *row = plain_message(json_array_get(messages, i), calls, error);
        ok = row && (!json_array_append_new(plain, row) || memory_error(error, "a chat"));
    }
    if (ok) return plain;
    json_decref(plain);
    return NULL;
}
