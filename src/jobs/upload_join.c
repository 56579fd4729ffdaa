// From parts to a file, through a buffer of fixed size. The parts stay until the whole is there: a
// completion that fails can be asked for again.
#include "jobs/upload_join.h"
#include "base/file.h"
#include "base/memory.h"
#include "jobs/upload_keeper.h"
#include "net/digest.h"
#include "store/store_uploads.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { BLOCK = 1 << 20 };

struct join {
    struct store *store;
    const struct upload_assembly *assembly;
    const atomic_bool *closing;
    struct digest *digest; // NULL if none was given
    int output;
    uint8_t *block;
};

static bool check_length(
    struct join *join, const struct upload_record *upload, struct error *error) {
    const struct upload_assembly *assembly = join->assembly;
    int64_t sum = 0;
    for (size_t i = 0; i < assembly->part_count; i++) {
        int64_t bytes;
        if (!upload_part_size(join->store, upload->id, assembly->parts[i], &bytes, error)) {
            if (error->code == ERROR_NOT_FOUND) error->code = ERROR_INVALID;
            return false;
        }
        sum += bytes;
    }
    return sum == upload->bytes ||
           error_set(error, ERROR_INVALID,
               "The parts have %lld bytes, but %lld were announced when the upload was created.",
               (long long)sum, (long long)upload->bytes);
}

static bool copy_block(struct join *join, int input, bool *end, struct error *error) {
    ssize_t got = read(input, join->block, BLOCK);
    if (got < 0)
        return errno == EINTR ||
               error_set_errno(error, ERROR_IO, "cannot read a part of an upload");
    *end = got == 0;
    if (*join->closing) return error_set(error, ERROR_IO, "the server ends; complete it again");
    if (join->digest) digest_add(join->digest, join->block, (size_t)got);
    return file_write_all(join->output, join->block, (size_t)got, error);
}

static bool copy_part(struct join *join, const char *part, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (!upload_part_path(join->store, join->assembly->upload, part, path, error)) return false;
    int input = open(path, O_RDONLY | O_CLOEXEC);
    if (input < 0) return error_set_errno(error, ERROR_IO, "cannot read a part of an upload");
    bool good = true, end = false;
    while (good && !end)
        good = copy_block(join, input, &end, error);
    close(input);
    return good;
}

static bool check_digest(struct join *join, struct error *error) {
    char found[DIGEST_TEXT_SIZE];
    if (!join->digest) return true;
    digest_finish(join->digest, found);
    join->digest = NULL;
    return strcasecmp(found, join->assembly->md5) == 0 ||
           error_set(error, ERROR_INVALID,
               "The md5 of the parts is %s, but %s was given: what came is not what was sent.",
               found, join->assembly->md5);
}

static bool write_whole(struct join *join, struct error *error) {
    for (size_t i = 0; i < join->assembly->part_count; i++)
        if (!copy_part(join, join->assembly->parts[i], error)) return false;
    if (!check_digest(join, error)) return false;
    return fsync(join->output) == 0 ||
           error_set_errno(error, ERROR_IO, "cannot bring an upload to disk");
}

static bool begin(struct join *join, char *path, struct error *error) {
    char folder[FILE_PATH_SIZE], name[128];
    snprintf(name, sizeof name, "%s.part", join->assembly->upload);
    if (!file_path(folder, sizeof folder, error, store_directory(join->store), "uploads") ||
        !file_path(path, FILE_PATH_SIZE, error, folder, name))
        return false;
    join->block = memory_alloc(BLOCK);
    if (!join->block) return memory_error(error, "an upload");
    if (join->assembly->md5 && !digest_begin(&join->digest, DIGEST_MD5, 0, error)) return false;
    join->output = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return join->output >= 0 || error_set_errno(error, ERROR_IO, "cannot write %s", path);
}

static void end(struct join *join) {
    if (join->output >= 0) close(join->output);
    digest_free(join->digest);
    memory_free(join->block);
}

bool upload_join(struct store *store, const struct upload_assembly *assembly,
    const atomic_bool *closing, struct error *error) {
    struct join join = {store, assembly, closing, .output = -1};
    struct upload_record upload;
    char path[FILE_PATH_SIZE] = "";
    if (!upload_get(store, assembly->account, assembly->upload, &upload, error)) return false;
    bool good = strcmp(upload.status, "pending") == 0 ||
                error_set(error, ERROR_CONFLICT,
                    "The upload %s is %s, and no longer pending. Make a new one.", upload.id,
                    upload.status);
    good = good && check_length(&join, &upload, error) && begin(&join, path, error) &&
           write_whole(&join, error);
    end(&join);
    good = good && upload_complete(store, &upload, path, error);
    if (!good && path[0]) unlink(path);
    upload_record_free(&upload);
    return good;
}
