/* Packed spikes as a list of events. */
#include "rows.h"

size_t snnc_bits_width(size_t num_neurons)
{
    return num_neurons / 8 + (num_neurons % 8 != 0);
}

size_t snnc_events(const uint8_t *bits, size_t num_steps, size_t num_neurons,
                   int64_t first_step, int64_t *step, int64_t *neuron, size_t room)
{
    const size_t row_bytes = snnc_bits_width(num_neurons);
    /* The bits of neurons in a row's last byte. */
    const unsigned last_mask = 0xffu >> (row_bytes * 8 - num_neurons);
    size_t found = 0;

    for (size_t t = 0; t < num_steps && row_bytes; t++) {
        const uint8_t *const row = bits + t * row_bytes;
        for (size_t i = 0; i < row_bytes; i++) {
            int64_t at = (int64_t)i * 8;
            const unsigned mask = i + 1 < row_bytes ? 0xff : last_mask;
            for (unsigned byte = row[i] & mask; byte; byte >>= 1, at++)
                if (byte & 1) {
                    if (found < room) {
                        step[found] = first_step + (int64_t)t;
                        neuron[found] = at;
                    }
                    found++;
                }
        }
    }
    return found;
}
