// Reading a chat completion's request by its table of fields.
#include "service/chat_request.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "service/fields.h"
#include "service/reply.h"
#include "service/shapes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TOKENS_MAXIMUM = 1 << 24,
    MESSAGES_MAXIMUM = 4096,
    STOP_LENGTH = 256,
    MESSAGE_MAXIMUM = 8 << 20, // bytes; a body is not longer
    NAME_LENGTH = 256,
};

#define BIAS_SCHEMA                                                                                \
    "{\"type\": [\"object\", \"null\"], \"propertyNames\": {\"pattern\": \"^(0|[1-9][0-9]*)$\"}, " \
    "\"additionalProperties\": {\"type\": \"number\", \"minimum\": -100, \"maximum\": 100}}"

static const struct field chat_fields[] = {
    {"model", FIELD_STRING, FIELD_REQUIRED, 1, NAME_LENGTH},
    {"messages", FIELD_ARRAY, FIELD_REQUIRED},
    {"temperature", FIELD_NUMBER, FIELD_OPTIONAL, 0, 2, .standard = "1"},
    {"top_p", FIELD_NUMBER, FIELD_OPTIONAL, 0, 1, .standard = "1"},
    {"frequency_penalty", FIELD_NUMBER, FIELD_OPTIONAL, -2, 2, .standard = "0"},
    {"presence_penalty", FIELD_NUMBER, FIELD_OPTIONAL, -2, 2, .standard = "0"},
    {"logit_bias", FIELD_OBJECT, FIELD_OPTIONAL, .schema = BIAS_SCHEMA,
        .about = "Added to the logits of tokens, by their ids."},
    {"logprobs", FIELD_BOOLEAN, FIELD_OPTIONAL, .standard = "false"},
    {"top_logprobs", FIELD_INTEGER, FIELD_OPTIONAL, 0, ENGINE_LIKELIEST,
        .about = "How many of the likeliest tokens to show; only with logprobs."},
    {"max_tokens", FIELD_INTEGER, FIELD_OPTIONAL, 1, TOKENS_MAXIMUM},
    {"max_completion_tokens", FIELD_INTEGER, FIELD_OPTIONAL, 1, TOKENS_MAXIMUM},
    {"n", FIELD_INTEGER, FIELD_OPTIONAL, 1, ENGINE_CHOICES},
    {"seed", FIELD_INTEGER, FIELD_OPTIONAL},
    {"stop", FIELD_ANY, FIELD_OPTIONAL},
    {"stream", FIELD_BOOLEAN, FIELD_OPTIONAL},
    {"stream_options", FIELD_OBJECT, FIELD_OPTIONAL},
    {"metadata", FIELD_OBJECT, FIELD_OPTIONAL},
    {"user", FIELD_STRING, FIELD_ADVISORY},
    {"service_tier", FIELD_STRING, FIELD_ADVISORY},
    {"prompt_cache_key", FIELD_STRING, FIELD_ADVISORY},
    {"safety_identifier", FIELD_STRING, FIELD_ADVISORY},
    {"store", FIELD_BOOLEAN, FIELD_UNSUPPORTED, .neutral = "false"},
    {"response_format", FIELD_OBJECT, FIELD_UNSUPPORTED, .neutral = "{\"type\": \"text\"}"},
    {"tools", FIELD_ARRAY, FIELD_UNSUPPORTED, .neutral = "[]"},
    {"tool_choice", FIELD_ANY, FIELD_UNSUPPORTED, .neutral = "\"none\""},
    {"parallel_tool_calls", FIELD_BOOLEAN, FIELD_UNSUPPORTED},
    {"functions", FIELD_ARRAY, FIELD_UNSUPPORTED, .neutral = "[]"},
    {"function_call", FIELD_ANY, FIELD_UNSUPPORTED, .neutral = "\"none\""},
    {"modalities", FIELD_ARRAY, FIELD_UNSUPPORTED, .neutral = "[\"text\"]"},
    {"audio", FIELD_OBJECT, FIELD_UNSUPPORTED},
    {"prediction", FIELD_OBJECT, FIELD_UNSUPPORTED},
    {"reasoning_effort", FIELD_STRING, FIELD_UNSUPPORTED},
    {"verbosity", FIELD_STRING, FIELD_UNSUPPORTED},
    {"web_search_options", FIELD_OBJECT, FIELD_UNSUPPORTED},
    {"moderation", FIELD_OBJECT, FIELD_UNSUPPORTED},
    {"prompt_cache_retention", FIELD_STRING, FIELD_UNSUPPORTED},
};

// What a client library puts into a message that it received and sends back is neutral.
static const struct field message_fields[] = {
    {"role", FIELD_STRING, FIELD_REQUIRED},
    {"content", FIELD_ANY, FIELD_OPTIONAL},
    {"name", FIELD_STRING, FIELD_UNSUPPORTED},
    {"refusal", FIELD_STRING, FIELD_UNSUPPORTED},
    {"annotations", FIELD_ARRAY, FIELD_UNSUPPORTED, .neutral = "[]"},
    {"audio", FIELD_OBJECT, FIELD_UNSUPPORTED},
    {"tool_calls", FIELD_ARRAY, FIELD_OPTIONAL},
    {"tool_call_id", FIELD_STRING, FIELD_OPTIONAL, 0, NAME_LENGTH},
    {"function_call", FIELD_OBJECT, FIELD_UNSUPPORTED},
};

static const struct field part_fields[] = {
    {"type", FIELD_STRING, FIELD_REQUIRED},
    {"text", FIELD_STRING, FIELD_REQUIRED, 0, MESSAGE_MAXIMUM},
};

static const struct field stream_fields[] = {
    {"include_usage", FIELD_BOOLEAN, FIELD_OPTIONAL},
    {"include_obfuscation", FIELD_BOOLEAN, FIELD_UNSUPPORTED, .neutral = "false"},
};

const struct shape chat_request_shape = SHAPE("CreateChatCompletion", chat_fields);

#define CHECK(object, path, fields, reply)                                                         \
    fields_check(object, path, fields, sizeof(fields) / sizeof((fields)[0]), reply)

// The role that the chat templates know for the one that the client wrote; NULL if there is none.
static const char *plain_role(const char *role) {
    static const char *const roles[][2] = {
        {"system", "system"},
        {"developer", "system"}, // its newer name
        {"user", "user"},
        {"assistant", "assistant"},
        {"tool", "tool"},
    };
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(role, roles[i][0]) == 0) return roles[i][1];
    return NULL;
}

// Joins the parts of type "text". NULL with the reply made if there is any other.
static json_t *join_parts(const json_t *parts, const char *path, struct reply *reply) {
    struct buffer text;
    size_t index;
    json_t *part, *joined = NULL;
    buffer_init(&text, MESSAGE_MAXIMUM);
    json_array_foreach(parts, index, part) {
        char name[NAME_LENGTH];
        snprintf(name, sizeof name, "%s.content[%zu]", path, index);
        const char *type = json_string_value(json_object_get(part, "type"));
        if (type && strcmp(type, "text") != 0) {
            reply_error(reply, 400, "unsupported_value", name,
                "Unsupported value: '%s' is of type '%.40s', but this server takes text only.",
                name, type);
            goto out;
        }
        if (!json_is_object(part)) {
            fields_refuse_type(reply, name, "an object", part);
            goto out;
        }
        if (!CHECK(part, name, part_fields, reply)) goto out;
        json_t *piece = json_object_get(part, "text");
        buffer_append(&text, json_string_value(piece), json_string_length(piece));
    }
    joined = text.failed ? NULL : json_stringn(buffer_text(&text), text.length);
    if (!joined) reply_error(reply, 413, NULL, path, "The message '%s' is too long.", path);
out:
    buffer_free(&text);
    return joined;
}

// The content as one text (a new reference), NULL with the reply made.
static json_t *plain_content(json_t *content, const char *path, struct reply *reply) {
    char name[NAME_LENGTH];
    if (json_is_string(content)) return json_incref(content);
    if (json_is_array(content)) return join_parts(content, path, reply);
    snprintf(name, sizeof name, "%s.content", path);
    fields_refuse_type(reply, name, "a string or an array of text parts", content);
    return NULL;
}

static const struct field call_fields[] = {
    {"id", FIELD_STRING, FIELD_REQUIRED, 0, NAME_LENGTH},
    {"type", FIELD_STRING, FIELD_REQUIRED},
    {"function", FIELD_OBJECT, FIELD_REQUIRED},
};

static const struct field function_fields[] = {
    {"name", FIELD_STRING, FIELD_REQUIRED, 1, NAME_LENGTH},
    {"arguments", FIELD_STRING, FIELD_REQUIRED, 0, MESSAGE_MAXIMUM},
};

static bool check_call(const json_t *call, const char *path, struct reply *reply) {
    char name[2 * NAME_LENGTH];
    if (!json_is_object(call)) {
        fields_refuse_type(reply, path, "an object", call);
        return false;
    }
    if (!CHECK(call, path, call_fields, reply)) return false;
    if (strcmp(json_string_value(json_object_get(call, "type")), "function") != 0) {
        snprintf(name, sizeof name, "%s.type", path);
        reply_error(reply, 400, "unsupported_value", name,
            "Unsupported value: '%s'. Calls are of type 'function'.", name);
        return false;
    }
    snprintf(name, sizeof name, "%s.function", path);
    const json_t *function = json_object_get(call, "function");
    if (!CHECK(function, name, function_fields, reply)) return false;
    const json_t *arguments = json_object_get(function, "arguments");
    json_t *read = json_loadb(
        json_string_value(arguments), json_string_length(arguments), JSON_REJECT_DUPLICATES, NULL);
    bool good = json_is_object(read);
    json_decref(read);
    if (!good)
        reply_error(reply, 400, "invalid_value", name,
            "Invalid '%s.arguments': expected a JSON object as a string.", name);
    return good;
}

// What an assistant's message called, and what a tool's message answers.
static bool add_calls(json_t *plain, const json_t *message, const char *path, struct reply *reply) {
    json_t *calls = fields_get(message, "tool_calls"), *id = fields_get(message, "tool_call_id");
    const char *role = json_string_value(json_object_get(plain, "role"));
    char name[NAME_LENGTH];
    for (size_t i = 0; i < json_array_size(calls); i++) {
        snprintf(name, sizeof name, "%s.tool_calls[%zu]", path, i);
        if (!check_call(json_array_get(calls, i), name, reply)) return false;
    }
    bool misplaced = json_array_size(calls) && strcmp(role, "assistant") != 0;
    if (misplaced || (id && strcmp(role, "tool") != 0)) {
        snprintf(name, sizeof name, "%s.%s", path, misplaced ? "tool_calls" : "tool_call_id");
        reply_error(reply, 400, "invalid_value", name,
            "Invalid '%s': messages with the role '%s' have none.", name, role);
        return false;
    }
    if (json_array_size(calls)) json_object_set(plain, "tool_calls", calls);
    if (id) json_object_set(plain, "tool_call_id", id);
    return true;
}

static bool read_message(json_t *messages, json_t *message, size_t index, struct reply *reply) {
    char path[64], name[NAME_LENGTH];
    snprintf(path, sizeof path, "messages[%zu]", index);
    if (!json_is_object(message)) {
        fields_refuse_type(reply, path, "an object", message);
        return false;
    }
    if (!CHECK(message, path, message_fields, reply)) return false;
    const char *role = json_string_value(json_object_get(message, "role"));
    if (!plain_role(role)) {
        snprintf(name, sizeof name, "%s.role", path);
        reply_error(reply, 400, "invalid_value", name,
            "Invalid value: '%.40s'. Supported values are: 'system', 'developer', 'user', "
            "'assistant' and 'tool'.",
            role);
        return false;
    }
    json_t *given = fields_get(message, "content");
    bool calls = json_array_size(fields_get(message, "tool_calls")) > 0;
    if (!given && !calls) {
        snprintf(name, sizeof name, "%s.content", path);
        reply_error(reply, 400, "missing_required_parameter", name,
            "Missing required parameter: '%s'.", name);
        return false;
    }
    json_t *content = given ? plain_content(given, path, reply) : NULL;
    if (given && !content) return false;
    json_t *plain = json_pack("{s:s, s:o*}", "role", plain_role(role), "content", content);
    bool good = plain && add_calls(plain, message, path, reply);
    if (plain && !good) {
        json_decref(plain);
        return false;
    }
    if (plain && json_array_append_new(messages, plain) == 0) return true;
    reply_error(reply, 500, NULL, NULL, "The server is short of memory.");
    return false;
}

static bool read_messages(struct chat_request *request, const json_t *body, struct reply *reply) {
    const json_t *messages = json_object_get(body, "messages");
    size_t count = json_array_size(messages), index;
    json_t *message;
    if (count == 0 || count > MESSAGES_MAXIMUM) {
        reply_error(reply, 400, count ? "array_above_max_length" : "empty_array", "messages",
            "Invalid 'messages': expected an array of 1 to %d messages, but got %zu.",
            MESSAGES_MAXIMUM, count);
        return false;
    }
    json_array_foreach(messages, index, message) {
        if (!read_message(request->messages, message, index, reply)) return false;
    }
    return true;
}

static bool add_stop(struct chat_request *request, const json_t *stop, struct reply *reply) {
    size_t length = json_string_length(stop);
    if (json_is_string(stop) && length > 0 && length <= STOP_LENGTH &&
        request->stop_count < CHAT_STOPS_MAXIMUM) {
        request->stops[request->stop_count++] = json_string_value(stop);
        return true;
    }
    reply_error(reply, 400, "invalid_value", "stop",
        "Invalid 'stop': expected a text, or an array of at most %d texts, each of 1 to %d bytes.",
        CHAT_STOPS_MAXIMUM, STOP_LENGTH);
    return false;
}

static bool read_stops(struct chat_request *request, const json_t *stop, struct reply *reply) {
    size_t index;
    json_t *one;
    if (!stop) return true;
    if (!json_is_array(stop)) return add_stop(request, stop, reply);
    json_array_foreach(stop, index, one) {
        if (!add_stop(request, one, reply)) return false;
    }
    return true;
}

static bool read_stream(struct chat_request *request, const json_t *body, struct reply *reply) {
    const json_t *options = fields_get(body, "stream_options");
    request->stream = json_is_true(json_object_get(body, "stream"));
    if (!options) return true;
    if (!request->stream) {
        reply_error(reply, 400, "invalid_value", "stream_options",
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
        return false;
    }
    if (!CHECK(options, "stream_options", stream_fields, reply)) return false;
    request->include_usage = json_is_true(json_object_get(options, "include_usage"));
    return true;
}

// A token's id, written as an integer and in one way only; -1 if it is none.
static int64_t read_token(const char *text) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits] || (text[0] == '0' && digits > 1)) return -1;
    return strtol(text, NULL, 10);
}

static bool add_bias(
    struct chat_request *request, const char *key, const json_t *value, struct reply *reply) {
    int64_t token = read_token(key);
    double amount = json_number_value(value);
    if (token < 0) {
        reply_error(reply, 400, "invalid_value", "logit_bias",
            "Invalid key in 'logit_bias': you supplied '%.40s'. Only ids of tokens, as integers, "
            "are allowed.",
            key);
        return false;
    }
    if (!json_is_number(value) || !(amount >= -100 && amount <= 100)) {
        reply_error(reply, 400, "invalid_value", "logit_bias",
            "Invalid value for '%.40s' in 'logit_bias': expected a number from -100 to 100.", key);
        return false;
    }
    request->biases[request->bias_count++] = (struct engine_bias){(int32_t)token, (float)amount};
    return true;
}

static bool read_biases(struct chat_request *request, json_t *biases, struct reply *reply) {
    size_t count = json_object_size(biases);
    const char *key;
    json_t *value;
    if (count == 0) return true;
    request->biases = memory_alloc_array(count, sizeof *request->biases);
    if (!request->biases) {
        reply_error(reply, 500, NULL, NULL, "The server is short of memory.");
        return false;
    }
    json_object_foreach(biases, key, value) {
        if (!add_bias(request, key, value, reply)) return false;
    }
    return true;
}

static bool read_scores(struct chat_request *request, const json_t *body, struct reply *reply) {
    const json_t *top = fields_get(body, "top_logprobs");
    request->logprobs = json_is_true(json_object_get(body, "logprobs"));
    request->top_logprobs = (int)json_integer_value(top);
    if (!top || request->logprobs) return true;
    reply_error(reply, 400, "invalid_value", "top_logprobs",
        "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.");
    return false;
}

static bool check_lengths(const json_t *body, struct reply *reply) {
    if (!fields_get(body, "max_tokens") || !fields_get(body, "max_completion_tokens")) return true;
    reply_error(reply, 400, "invalid_parameter_combination", "max_tokens",
        "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.");
    return false;
}

static double number_or(const json_t *body, const char *name, double otherwise) {
    const json_t *value = fields_get(body, name);
    return value ? json_number_value(value) : otherwise;
}

static void read_numbers(struct chat_request *request, const json_t *body) {
    const json_t *seed = fields_get(body, "seed");
    double older = number_or(body, "max_tokens", 0);
    request->temperature = number_or(body, "temperature", 1);
    request->top_p = number_or(body, "top_p", 1);
    request->frequency_penalty = number_or(body, "frequency_penalty", 0);
    request->presence_penalty = number_or(body, "presence_penalty", 0);
    request->maximum_tokens = (long)number_or(body, "max_completion_tokens", older);
    request->choices = (int)number_or(body, "n", 1);
    request->has_seed = seed != NULL;
    request->seed = (uint64_t)json_integer_value(seed);
}

bool chat_request_read(struct chat_request *request, const json_t *body, struct reply *reply) {
    *request = (struct chat_request){.messages = json_array()};
    if (!request->messages) {
        reply_error(reply, 500, NULL, NULL, "The server is short of memory.");
        return false;
    }
    bool good = CHECK(body, NULL, chat_fields, reply) &&
                fields_check_metadata(fields_get(body, "metadata"), reply) &&
                read_messages(request, body, reply) &&
                read_stops(request, fields_get(body, "stop"), reply) &&
                read_biases(request, fields_get(body, "logit_bias"), reply) &&
                read_scores(request, body, reply) && check_lengths(body, reply) &&
                read_stream(request, body, reply);
    if (!good) {
        chat_request_free(request);
        return false;
    }
    request->model = json_string_value(json_object_get(body, "model"));
    read_numbers(request, body);
    return true;
}

void chat_request_free(struct chat_request *request) {
    json_decref(request->messages);
    memory_free(request->biases);
    request->messages = NULL;
    request->biases = NULL;
}
