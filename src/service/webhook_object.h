// The shapes of webhook endpoints and of deliveries to them.
#ifndef SERVICE_WEBHOOK_OBJECT_H
#define SERVICE_WEBHOOK_OBJECT_H

#include <jansson.h>

struct webhook_endpoint;
struct webhook_delivery;

// Without its secret, which is shown once, by the answer that creates it.
json_t *webhook_endpoint_object(const struct webhook_endpoint *endpoint);
json_t *webhook_delivery_object(const struct webhook_delivery *delivery);

#endif
