/* snnc.h in C++: it compiles without warnings, and what it declares is linked. */
#include "snnc.h"

int main()
{
    const float x = 2, threshold = 1, beta = 0.5f, graded_spikes_factor = 1;
    float mem = 0, spk = 0;
    snnc_call call = SNNC_CALL_INIT;
    const snnc_backward_call backward = SNNC_BACKWARD_INIT; /* of no steps */

    call.model = SNNC_Leaky;
    call.num_steps = call.num_neurons = 1;
    call.x.data = &x;
    call.spk.data = &spk;
    call.state_out[0] = &mem;
    call.params[0] = &threshold;
    call.params[1] = &beta;
    call.params[2] = &graded_spikes_factor;
    const snnc_isa *isa = snnc_isa_find(nullptr);
    const bool passed = snnc_run(isa, &call, 0, 1, 0, 1) == SNNC_OK && spk == 1 &&
                        mem == 2 && snnc_backward_workspace_size(&backward) == 0;
    return passed ? 0 : 1;
}
