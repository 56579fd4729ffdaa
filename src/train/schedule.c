#include "train/schedule.h"
#include <math.h>

double schedule_learning_rate(const struct schedule *s, uint64_t step) {
    static const double pi = 3.14159265358979323846;
    if (step <= s->warmup_steps) return s->learning_rate * (double)step / (double)s->warmup_steps;
    double done = (double)(step - s->warmup_steps - 1);
    double span = (double)(s->total_steps - s->warmup_steps);
    switch (s->shape) {
    case SCHEDULE_COSINE:
        return s->learning_rate * 0.5 * (1 + cos(pi * done / span));
    case SCHEDULE_LINEAR_END: {
        double left = (double)(s->total_steps - step + 1), end = 0.3 * (double)s->total_steps;
        return left >= end ? s->learning_rate : s->learning_rate * left / end;
    }
    case SCHEDULE_CONSTANT:
        break;
    }
    return s->learning_rate;
}

double schedule_base_rate(uint64_t parameters) {
    double rate = 2e-4 * pow(8e9 / (double)parameters, 0.375);
    return rate < 5e-5 ? 5e-5 : rate > 3e-3 ? 3e-3 : rate;
}
