// What the handlers work with: the parts of the house that `temper serve` has opened. All are
// borrowed, outlive the server, and may be used from any thread.
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

struct store;
struct supervisor;
struct engine;

struct service {
    struct store *store;
    struct supervisor *supervisor;
    struct engine *engine;
    const char *data; // the data directory
};

#endif
