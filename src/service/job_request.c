// Reading a fine-tuning job's request by its tables of fields and of hyperparameters.
#include "service/job_request.h"
#include "base/hyperparameters.h"
#include "service/fields.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/service.h"
#include "service/shapes.h"
#include "store/store.h"
#include <stdio.h>
#include <string.h>

enum { ID_LENGTH = 128, NAME_LENGTH = 256, SUFFIX_LENGTH = 64 };

static const struct field supervised_fields[] = {
    {"hyperparameters", FIELD_OBJECT,
        .about = "n_epochs, batch_size, learning_rate_multiplier: "
                 "numbers or \"auto\"."},
};
static const struct shape supervised_shape = SHAPE("SupervisedMethod", supervised_fields);

static const struct field method_fields[] = {
    {"type", FIELD_STRING, FIELD_REQUIRED},
    {"supervised", FIELD_OBJECT, .shape = &supervised_shape},
    {"dpo", FIELD_OBJECT, FIELD_UNSUPPORTED},
    {"reinforcement", FIELD_OBJECT, FIELD_UNSUPPORTED},
};
static const struct shape method_shape = SHAPE("FineTuningMethod", method_fields);

static const struct field job_request_fields[] = {
    {"training_file", FIELD_STRING, FIELD_REQUIRED, 1, ID_LENGTH,
        .about = "The id of an uploaded file with purpose \"fine-tune\"."},
    {"model", FIELD_STRING, FIELD_REQUIRED, 1, NAME_LENGTH, .about = "What to fine-tune."},
    {"validation_file", FIELD_STRING, FIELD_OPTIONAL, 1, ID_LENGTH,
        .about = "The id of a file that is not trained on but measured."},
    {"hyperparameters", FIELD_OBJECT, .about = "The older place of method.supervised's."},
    {"method", FIELD_OBJECT, .shape = &method_shape},
    {"suffix", FIELD_STRING, FIELD_OPTIONAL, 1, SUFFIX_LENGTH,
        .about = "Becomes a part of the new model's name."},
    {"nickname", FIELD_STRING, FIELD_OPTIONAL, 1, SUFFIX_LENGTH, .about = "The same as suffix."},
    {"seed", FIELD_INTEGER, FIELD_OPTIONAL, 0, INT32_MAX,
        .about = "The same seed, data and settings give the same model."},
    {"metadata", FIELD_OBJECT, .about = "Up to 16 pairs of texts."},
    {"integrations", FIELD_ARRAY, FIELD_UNSUPPORTED, .neutral = "[]"},
    {"lora", FIELD_OBJECT, .about = "temper's own: rank, alpha, dropout, target_modules."},
};
const struct shape job_request_shape = SHAPE("CreateFineTuningJob", job_request_fields);

static bool no_memory(struct reply *reply) {
    reply_error(reply, 500, NULL, NULL, "The server is short of memory.");
    return false;
}

// Checks one value and writes it into `values`. A whole number is stored as an integer, however
// written.
static bool take_value(json_t *values, const struct hyperparameter *entry, const char *param,
    json_t *value, struct reply *reply) {
    struct error error = {0};
    if (json_is_string(value) && !entry->group && strcmp(json_string_value(value), "auto") == 0)
        return json_object_set(values, entry->name, value) == 0 || no_memory(reply);
    if (!json_is_number(value)) {
        fields_refuse_type(reply, param, entry->group ? "a number" : "a number or \"auto\"", value);
        return false;
    }
    double number = json_number_value(value);
    if (!hyperparameter_check(entry, number, &error)) {
        reply_error(reply, 400, "invalid_value", param, "Invalid '%s': %s.", param, error.message);
        return false;
    }
    bool whole = entry->type == HYPERPARAMETER_INTEGER;
    json_t *plain = whole ? json_integer((json_int_t)number) : json_incref(value);
    return json_object_set_new(values, entry->name, plain) == 0 || no_memory(reply);
}

// Reads the members of `object` that the table has for `group` into `values`; null means nothing
// given.
static bool read_group(json_t *values, const json_t *object, const char *group, const char *path,
    struct reply *reply) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value) {
        char param[NAME_LENGTH];
        snprintf(param, sizeof param, "%s.%.100s", path, name);
        const struct hyperparameter *entry = hyperparameter_find(group, name);
        if (!entry) {
            reply_error(reply, 400, "unknown_parameter", param, "Unknown parameter: '%s'.", param);
            return false;
        }
        if (!json_is_null(value) && !take_value(values, entry, param, value, reply)) return false;
    }
    return true;
}

// Every one of OpenAI's hyperparameters at its default.
static json_t *standard_hyperparameters(void) {
    size_t count;
    const struct hyperparameter *table = hyperparameter_table(&count);
    json_t *values = json_object();
    for (size_t i = 0; i < count; i++)
        if (!table[i].group)
            json_object_set_new(values, table[i].name, json_string(table[i].standard));
    return values;
}

static bool read_method(struct job_request *request, const json_t *method, struct reply *reply) {
    if (!method) return true;
    const char *type = json_string_value(json_object_get(method, "type"));
    if (strcmp(type, "supervised") != 0) {
        bool known = strcmp(type, "dpo") == 0 || strcmp(type, "reinforcement") == 0;
        reply_error(reply, 400, known ? "unsupported_value" : "invalid_value", "method.type",
            known ? "Unsupported value: this server fine-tunes with the method 'supervised' only, "
                    "not '%.40s'."
                  : "Invalid value: '%.40s'. Supported values are: 'supervised'.",
            type);
        return false;
    }
    const json_t *supervised = fields_get(method, "supervised");
    if (!supervised) return true;
    return read_group(request->hyperparameters, fields_get(supervised, "hyperparameters"), NULL,
        "method.supervised.hyperparameters", reply);
}

static bool suffix_allowed(const char *suffix) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return suffix[strspn(suffix, letters)] == '\0';
}

static bool read_suffix(struct job_request *request, const json_t *body, struct reply *reply) {
    const char *suffix = json_string_value(fields_get(body, "suffix"));
    const char *nickname = json_string_value(fields_get(body, "nickname"));
    const char *param = suffix ? "suffix" : "nickname";
    if (suffix && nickname && strcmp(suffix, nickname) != 0) {
        reply_error(reply, 400, "invalid_value", "nickname",
            "'suffix' and 'nickname' mean the same, but differ. Send one of them.");
        return false;
    }
    request->suffix = suffix ? suffix : nickname;
    if (!request->suffix || suffix_allowed(request->suffix)) return true;
    reply_error(reply, 400, "invalid_value", param,
        "Invalid '%s': it may have 1 to %d letters, digits, '-', '_' and '.'.", param,
        SUFFIX_LENGTH);
    return false;
}

static bool check_modules(const json_t *modules, struct reply *reply) {
    static const char param[] = "lora.target_modules";
    static const struct field one = {param, FIELD_STRING, .values = hyperparameter_target_modules};
    size_t index;
    json_t *name;
    if (!modules) return true;
    if (!json_is_array(modules) || json_array_size(modules) == 0) {
        reply_error(reply, 400, "invalid_value", param,
            "Invalid '%s': expected an array of names of modules, such as \"q_proj\".", param);
        return false;
    }
    json_array_foreach((json_t *)modules, index, name) {
        if (!json_is_string(name)) {
            fields_refuse_type(reply, param, "names of modules", name);
            return false;
        }
        if (!fields_check_text(&one, json_string_value(name), param, reply)) return false;
    }
    return true;
}

static bool read_lora(struct job_request *request, const json_t *lora, struct reply *reply) {
    if (!lora) return true;
    const json_t *modules = fields_get(lora, "target_modules");
    json_t *numbers = json_copy((json_t *)lora);
    request->lora = json_object();
    if (!request->lora || !numbers) {
        json_decref(numbers);
        return no_memory(reply);
    }
    json_object_del(numbers, "target_modules");
    bool good =
        check_modules(modules, reply) && read_group(request->lora, numbers, "lora", "lora", reply);
    json_decref(numbers);
    if (!good || !modules) return good;
    return json_object_set(request->lora, "target_modules", (json_t *)modules) == 0 ||
           no_memory(reply);
}

static void read_texts(struct job_request *request, const json_t *body) {
    const json_t *seed = fields_get(body, "seed");
    request->training_file = json_string_value(json_object_get(body, "training_file"));
    request->validation_file = json_string_value(fields_get(body, "validation_file"));
    request->model = json_string_value(json_object_get(body, "model"));
    request->metadata = fields_get(body, "metadata");
    request->has_seed = seed != NULL;
    request->seed = json_integer_value(seed);
}

bool job_request_read(struct job_request *request, const json_t *body, struct reply *reply) {
    *request = (struct job_request){.hyperparameters = standard_hyperparameters()};
    if (!request->hyperparameters) return no_memory(reply);
    bool good = shape_check(body, NULL, &job_request_shape, reply) &&
                fields_check_metadata(fields_get(body, "metadata"), reply) &&
                read_group(request->hyperparameters, fields_get(body, "hyperparameters"), NULL,
                    "hyperparameters", reply) &&
                read_method(request, fields_get(body, "method"), reply) &&
                read_suffix(request, body, reply) &&
                read_lora(request, fields_get(body, "lora"), reply);
    if (!good) {
        job_request_free(request);
        return false;
    }
    read_texts(request, body);
    return true;
}

void job_request_free(struct job_request *request) {
    json_decref(request->hyperparameters);
    json_decref(request->lora);
    request->hyperparameters = NULL;
    request->lora = NULL;
}

// ---- what it names ----

// Checks that the account has that file, for fine-tuning. False with the reply made.
static bool check_file(struct service *service, const struct request *request, const char *param,
    const char *id, struct reply *reply) {
    struct file_record file;
    struct error error = {0};
    if (!id) return true;
    if (!file_get(service->store, request->account, id, &file, &error)) {
        if (error.code == ERROR_NOT_FOUND)
            reply_error(reply, 400, NULL, param,
                "invalid %s: %.128s. Upload it with POST /v1/files and purpose 'fine-tune' first.",
                param, id);
        else
            reply_failure(reply, "looking the file up", &error);
        return false;
    }
    bool good = strcmp(file.purpose, "fine-tune") == 0;
    if (!good)
        reply_error(reply, 400, "invalid_file_purpose", param,
            "invalid %s: %.128s has the purpose '%.40s', but must have 'fine-tune'.", param, id,
            file.purpose);
    file_record_free(&file);
    return good;
}

bool job_request_find(struct service *service, const struct request *request,
    const struct job_request *job, struct model_record *model, struct reply *reply) {
    struct error error = {0};
    if (!check_file(service, request, "training_file", job->training_file, reply) ||
        !check_file(service, request, "validation_file", job->validation_file, reply))
        return false;
    if (model_resolve(service->store, request->account, job->model, model, &error)) return true;
    if (error.code == ERROR_NOT_FOUND)
        reply_no_model(reply, job->model);
    else
        reply_failure(reply, "looking the model up", &error);
    return false;
}
