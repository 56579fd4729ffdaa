// See file.h.
#include "base/file.h"

#include "base/memory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_map_open(struct file_map *map, const char *path, struct error *error) {
    *map = (struct file_map){0};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return error_set_errno(
            error, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "cannot open %s", path);
    }
    struct stat status;
    bool ok = fstat(descriptor, &status) == 0;
    if (!ok) {
        error_set_errno(error, ERROR_IO, "cannot examine %s", path);
    } else if (!S_ISREG(status.st_mode)) {
        ok = error_set(error, ERROR_INVALID, "%s is not a regular file", path);
    } else if (status.st_size > 0) {
        void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, descriptor, 0);
        if (data == MAP_FAILED) {
            ok = error_set_errno(error, ERROR_IO, "cannot map %s", path);
        } else {
            *map = (struct file_map){.data = data, .size = (size_t)status.st_size};
        }
    }
    close(descriptor);
    return ok;
}

void file_map_close(struct file_map *map) {
    if (map->data) munmap((void *)(uintptr_t)map->data, map->size);
    *map = (struct file_map){0};
}

bool file_read(
    const char *path, size_t maximum, char **bytes, size_t *length, struct error *error) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return error_set_errno(
            error, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "cannot open %s", path);
    }
    char *data = NULL;
    bool ok = false;
    size_t used = 0, capacity = 4096;
    struct stat status;
    if (fstat(descriptor, &status) == 0 && status.st_size > 0) {
        if ((uint64_t)status.st_size > maximum) {
            error_set(error, ERROR_INVALID, "%s is %lld bytes long; at most %zu are read", path,
                (long long)status.st_size, maximum);
            goto out;
        }
        capacity = (size_t)status.st_size;
    }
    data = memory_alloc(capacity + 1);
    if (!data) {
        memory_error(error, path);
        goto out;
    }
    for (;;) {
        if (used == capacity) {
            // A file that grows, or one of /proc that tells no size.
            if (used >= maximum) {
                char extra;
                if (read(descriptor, &extra, 1) > 0) {
                    error_set(error, ERROR_INVALID, "%s is longer than %zu bytes", path, maximum);
                    goto out;
                }
                break;
            }
            capacity += capacity;
            if (capacity > maximum) capacity = maximum;
            char *larger = memory_resize(data, capacity + 1, 1);
            if (!larger) {
                memory_error(error, path);
                goto out;
            }
            data = larger;
        }
        ssize_t got = read(descriptor, data + used, capacity - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            error_set_errno(error, ERROR_IO, "cannot read %s", path);
            goto out;
        }
        if (got == 0) break;
        used += (size_t)got;
    }
    data[used] = 0;
    *bytes = data;
    if (length) *length = used;
    data = NULL;
    ok = true;
out:
    memory_free(data);
    close(descriptor);
    return ok;
}

bool file_write_all(int descriptor, const void *bytes, size_t length, struct error *error) {
    const char *next = bytes;
    while (length) {
        ssize_t written = write(descriptor, next, length);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return error_set_errno(error, ERROR_IO, "cannot write");
        next += written;
        length -= (size_t)written;
    }
    return true;
}

static bool sync_parent(const char *path, struct error *error) {
    char copy[FILE_PATH_SIZE];
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy) {
        return error_set(error, ERROR_INVALID, "the path %.100s… is too long", path);
    }
    return file_sync_directory(dirname(copy), error);
}

bool file_sync_directory(const char *path, struct error *error) {
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return error_set_errno(error, ERROR_IO, "cannot open the directory %s", path);
    }
    bool ok = fsync(descriptor) == 0;
    if (!ok) error_set_errno(error, ERROR_IO, "cannot sync the directory %s", path);
    close(descriptor);
    return ok;
}

bool file_rename_durable(const char *from, const char *to, struct error *error) {
    if (rename(from, to) != 0) {
        return error_set_errno(error, ERROR_IO, "cannot rename %s to %s", from, to);
    }
    return sync_parent(to, error);
}

bool file_write_atomic(const char *path, const void *bytes, size_t length, struct error *error) {
    char temporary[FILE_PATH_SIZE];
    if (snprintf(temporary, sizeof temporary, "%s.tmp-XXXXXX", path) >= (int)sizeof temporary) {
        return error_set(error, ERROR_INVALID, "the path %.100s… is too long", path);
    }
    int descriptor = mkostemp(temporary, O_CLOEXEC);
    if (descriptor < 0) return error_set_errno(error, ERROR_IO, "cannot create %s", temporary);
    bool ok = file_write_all(descriptor, bytes, length, error);
    if (ok && fsync(descriptor) != 0) ok = error_set_errno(error, ERROR_IO, "cannot sync");
    if (close(descriptor) != 0 && ok) ok = error_set_errno(error, ERROR_IO, "cannot close");
    if (!ok) error_prefix(error, "%s", path);
    ok = ok && file_rename_durable(temporary, path, error);
    if (!ok) unlink(temporary);
    return ok;
}

static bool copy_bytes(int from, int to, struct error *error) {
    enum { BLOCK = 1 << 20 };
    char *block = memory_alloc(BLOCK);
    if (!block) return memory_error(error, "a copy");
    ssize_t got;
    bool ok = true;
    do {
        got = read(from, block, BLOCK);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) ok = error_set_errno(error, ERROR_IO, "cannot read");
        if (got > 0) ok = file_write_all(to, block, (size_t)got, error);
    } while (ok && got != 0);
    memory_free(block);
    return ok && (fsync(to) == 0 || error_set_errno(error, ERROR_IO, "cannot sync"));
}

bool file_copy(const char *from, const char *to, struct error *error) {
    int source = open(from, O_RDONLY | O_CLOEXEC);
    if (source < 0)
        return error_set_errno(
            error, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "cannot open %s", from);
    int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    bool ok = target >= 0 ? copy_bytes(source, target, error) || error_prefix(error, "%s", from)
                          : error_set_errno(error, ERROR_IO, "cannot create %s", to);
    if (target >= 0) close(target);
    close(source);
    if (!ok && target >= 0) unlink(to);
    return ok;
}

bool file_exists(const char *path) {
    return access(path, F_OK) == 0;
}

bool file_is_directory(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool file_size(const char *path, uint64_t *size, struct error *error) {
    struct stat status;
    if (stat(path, &status) != 0) {
        return error_set_errno(
            error, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "cannot examine %s", path);
    }
    *size = (uint64_t)status.st_size;
    return true;
}

bool file_make_directories(const char *path, struct error *error) {
    char copy[FILE_PATH_SIZE];
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy) {
        return error_set(error, ERROR_INVALID, "the path %.100s… is too long", path);
    }
    for (char *slash = copy + 1; *copy; slash++) {
        if (*slash != '/' && *slash != 0) continue;
        char kept = *slash;
        *slash = 0;
        if (mkdir(copy, 0700) != 0 && errno != EEXIST) {
            return error_set_errno(error, ERROR_IO, "cannot make the directory %s", copy);
        }
        *slash = kept;
        if (!kept) break;
    }
    if (!file_is_directory(path)) {
        return error_set(error, ERROR_IO, "%s exists and is not a directory", path);
    }
    return true;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw) {
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

bool file_remove_tree(const char *path, struct error *error) {
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT) {
        return error_set_errno(error, ERROR_IO, "cannot remove %s", path);
    }
    return true;
}

bool file_path(
    char *path, size_t size, struct error *error, const char *directory, const char *name) {
    int length = snprintf(path, size, "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= size) {
        return error_set(
            error, ERROR_INVALID, "the path %.100s…/%.100s is too long", directory, name);
    }
    return true;
}
