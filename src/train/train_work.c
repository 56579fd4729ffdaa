#include "train/train_work.h"
#include "train/trainer_internal.h"

bool train_work_count(const struct train_spec *spec, const struct model_config *config,
    const struct trainer_data *data, bool validation, uint64_t *rows, struct error *error) {
    struct epoch_rules whole = {.batch_size = TRAINER_VALIDATION_EXAMPLES, .keep_order = true};
    struct epoch_rules rules = validation ? whole : trainer_rules(spec);
    return packing_count(validation ? data->validation : data->training, &rules,
        train_memory_rows_of(spec, config, data), train_spec_shares(spec), rows, error);
}
