/* snnTorch's Tutorial 4 in C: a Synaptic neuron under periodic spikes prints its own.
 */
#include <stdio.h>

#include "snnc.h"

int main(void)
{
    float x[200], spk[200], syn = 0, mem = 0, threshold = 1, alpha = 0.9f, beta = 0.8f;
    const snnc_isa *isa = snnc_isa_find(NULL);
    snnc_call call = SNNC_CALL_INIT;

    for (int t = 0; t < 200; t++)
        x[t] = t % 10 == 0 ? 0.2f : 0;
    call.model = SNNC_Synaptic;
    call.num_steps = 200, call.num_neurons = 1;
    call.x.data = x, call.spk.data = spk;
    call.state_out[0] = &syn, call.state_out[1] = &mem;
    call.params[0] = &threshold, call.params[1] = &alpha, call.params[2] = &beta;
    if (!snnc_self_check(isa) || snnc_run(isa, &call, 0, 200, 0, 1) != SNNC_OK)
        return 1;
    for (int t = 0; t < 200; t++)
        if (spk[t] > 0)
            printf("%d ", t);
    printf("\n");
    return 0;
}
