/* A layer of Leaky neurons over a sequence: a row of spikes for each step, then the
 * membrane potentials after the last one, every bit of them. */
#include <stdio.h>

#include "snnc.h"

enum { STEPS = 40, NEURONS = 10 };

int main(void)
{
    static float x[STEPS][NEURONS], spk[STEPS][NEURONS], mem[NEURONS];
    const float threshold = 1, beta = 0.9f, graded_spikes_factor = 1;
    const snnc_isa *isa = snnc_isa_find(NULL); /* the fastest that this machine has */
    snnc_call call = SNNC_CALL_INIT;           /* all that isn't set below is off */
    snnc_status status;

    for (int t = 0; t < STEPS; t++)
        for (int i = 0; i < NEURONS; i++)
            x[t][i] = (float)((37 * t + 11 * i) % 64) / 128;

    call.model = SNNC_Leaky;
    call.num_steps = STEPS;
    call.num_neurons = NEURONS;
    call.x.data = x;
    call.spk.data = spk;
    call.state_out[0] = mem; /* before the run, and after it */
    call.params[0] = &threshold;
    call.params[1] = &beta;
    call.params[2] = &graded_spikes_factor;

    if (!snnc_self_check(isa)) {
        fprintf(stderr, "snnc was compiled with fused multiply-add\n");
        return 1;
    }
    status = snnc_run(isa, &call, 0, STEPS, 0, NEURONS);
    if (status != SNNC_OK) {
        fprintf(stderr, "snnc: %s\n", snnc_strerror(status));
        return 1;
    }

    for (int t = 0; t < STEPS; t++) {
        for (int i = 0; i < NEURONS; i++)
            putchar(spk[t][i] > 0 ? '|' : '.');
        putchar('\n');
    }
    for (int i = 0; i < NEURONS; i++)
        printf("%a\n", (double)mem[i]);
    return 0;
}
