// Random numbers that are functions, not streams: random_bits(seed, stream, counter) is the same
// number in every run, in any order, on any number of threads. A resumed run therefore needs no
// saved state.
//
// The mixing is that of SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
// Generators", OOPSLA 2014), applied to each word in turn. Not for secrets: those come from
// random_secret, which asks the operating system.
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

uint64_t random_bits(uint64_t seed, uint64_t stream, uint64_t counter);

// In [0, 1), 53 bits.
double random_uniform(uint64_t seed, uint64_t stream, uint64_t counter);

// Standard normal (Box and Muller).
double random_normal(uint64_t seed, uint64_t stream, uint64_t counter);

// In [0, bound), bound > 0, without bias worth measuring (multiply-shift of 64 bits).
uint64_t random_below(uint64_t seed, uint64_t stream, uint64_t counter, uint64_t bound);

// A permutation of 0 … count-1 (Fisher and Yates) for this seed and stream.
void random_permutation(uint64_t seed, uint64_t stream, uint32_t *order, size_t count);

// `length` letters and digits (a-z, A-Z, 0-9) that nobody can guess, and a NUL, into `text`.
bool random_secret(char *text, size_t length, struct error *error) WARN_UNUSED;

#endif
