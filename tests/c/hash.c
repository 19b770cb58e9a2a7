/* Prints hashes of what the core computes, forward and back: a line for each model,
 * reset and type, and for products and closed loops of each type, the same for every
 * instruction set, compiler and processor. Where a table of this machine disagrees with
 * the first, another line follows, with its name. hashes.txt holds what must come. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snnc.h"

enum { STEPS = 19, INTERVAL = 4, LONGEST = 257, MAX_VALUES = STEPS * LONGEST };
enum { ROWS = 3, DELAYS = 4 }; /* of closed loops */

typedef union {
    float f32[MAX_VALUES];
    double f64[MAX_VALUES];
    uint8_t u8[MAX_VALUES];
    uint16_t f16[MAX_VALUES];
} values;

/* All that calls read and write. */
static values x, spk, state_in[SNNC_MAX_STATES], state_out[SNNC_MAX_STATES],
    record[SNNC_MAX_STATES], checkpoint[SNNC_MAX_STATES], params[SNNC_MAX_PARAMS];
static values grad_spk, grad_state[SNNC_MAX_STATES], grad_start[SNNC_MAX_STATES],
    grad_x, grad_params[SNNC_MAX_PARAMS];
static values weights[2], decay, bias, current[2], past, sum;
static _Alignas(64) char workspace[1 << 20];

/* ---- inputs: random integers, made real by exact operations ---- */

static uint64_t seed;

/* SplitMix64. */
static uint64_t draw(void)
{
    uint64_t z = seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* Uniform in [0, 1), with as many bits as the type has. */
static double uniform(snnc_type type, uint64_t random)
{
    return type == SNNC_F32 ? (double)(random >> 40) * 0x1p-24
                            : (double)(random >> 11) * 0x1p-53;
}

static void put(values *to, snnc_type type, size_t i, double value)
{
    if (type == SNNC_F32)
        to->f32[i] = (float)value;
    else
        to->f64[i] = value;
}

/* Of each eight neurons one has numbers of two or three bits, so that a mem is equal to
 * its threshold now and then. */
static int is_coarse(size_t neuron)
{
    return neuron % 8 == 2;
}

/* One has subnormal numbers. */
static int is_subnormal(size_t neuron)
{
    return neuron % 8 == 5;
}

/* Parameters of n neurons, between 0 and 1. */
static void fill_params(values *to, snnc_type type, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t random = draw();
        put(to, type, i,
            is_coarse(i) ? (double)(random >> 62) / 4 : uniform(type, random));
    }
}

/* Rows of n numbers between -2 and 2 (of the types that only inputs have: 0 to 2), now
 * and then one that isn't ordinary. */
static void fill(values *to, snnc_type type, size_t num_rows, size_t n)
{
    const double least = type == SNNC_F32 ? (double)FLT_TRUE_MIN : DBL_TRUE_MIN;
    const double others[] = {-0.0, -least, HUGE_VAL, -HUGE_VAL, (double)NAN};

    for (size_t i = 0; i < num_rows * n; i++) {
        const uint64_t random = draw();
        if (type == SNNC_U8)
            to->u8[i] = (uint8_t)(random % 3);
        else if (type == SNNC_F16)
            to->f16[i] = (uint16_t)(random & 0x3fff);
        else if (is_subnormal(i % n))
            put(to, type, i, ((double)(random >> 48) - 0x1p15) * least);
        else if (is_coarse(i % n))
            put(to, type, i, (double)(random >> 61) / 2 - 2);
        else if (random % 64 == 0)
            put(to, type, i, others[random / 64 % 5]);
        else
            put(to, type, i, 4 * uniform(type, random) - 2);
    }
}

/* ---- hashes ---- */

/* FNV-1a of the bits of n doubles or (exactly) widened floats, lowest byte first. Of a
 * NaN, only the position is promised. */
static void add(uint64_t *hash, const values *from, snnc_type type, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double value = type == SNNC_F32 ? (double)from->f32[i] : from->f64[i];
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        if (value != value)
            bits = 0x7ff8000000000000;
        for (int shift = 0; shift < 64; shift += 8)
            *hash = (*hash ^ (bits >> shift & 0xff)) * 0x100000001b3;
    }
}

static void must(snnc_status status)
{
    if (status != SNNC_OK) {
        fprintf(stderr, "%s\n", snnc_strerror(status));
        exit(1);
    }
}

static void run(const snnc_isa *isa, const snnc_call *call, uint64_t *hash)
{
    const size_t n = call->num_neurons;
    must(snnc_run(isa, call, 0, STEPS, 0, n));
    add(hash, &spk, call->type, STEPS * n);
    for (int k = 0; k < snnc_model_at((int)call->model)->num_states; k++) {
        add(hash, &record[k], call->type, STEPS * n);
        add(hash, &state_out[k], call->type, n);
    }
}

/* The backward pass of a run, with every surrogate. */
static void go_back(const snnc_isa *isa, const snnc_call *call, uint64_t *hash)
{
    const size_t n = call->num_neurons;
    const snnc_model_info *info = snnc_model_at((int)call->model);
    snnc_backward_call b = SNNC_BACKWARD_INIT;

    b.call = *call;
    b.round_to_float = !call->period;
    b.surrogate_args[0] = 1.7;
    b.surrogate_args[1] = 0.3;
    b.workspace = workspace;
    fill(&grad_spk, call->type, STEPS, n);
    b.grad_spk.data = &grad_spk;
    b.grad_x.data = &grad_x;
    for (int k = 0; k < info->num_states; k++) {
        fill(&grad_state[k], call->type, STEPS, n);
        b.grad_state[k].data = &grad_state[k];
        b.grad_start[k] = &grad_start[k];
    }
    for (int k = 0; k < info->num_params; k++)
        b.grad_params[k] = grad_params[k].f64;
    if (snnc_backward_workspace_size(&b) > sizeof workspace)
        must(SNNC_TOO_LARGE);
    for (int surrogate = 0; snnc_surrogate_at(surrogate); surrogate++) {
        b.surrogate = (snnc_surrogate)surrogate;
        memset(grad_start, 0, sizeof grad_start);
        memset(grad_params, 0, sizeof grad_params);
        must(snnc_backward(isa, &b, 0, STEPS, 0, n));
        add(hash, &grad_x, call->type, STEPS * n);
        for (int k = 0; k < info->num_states; k++)
            add(hash, &grad_start[k], call->type, n);
        for (int k = 0; k < info->num_params; k++)
            add(hash, &grad_params[k], SNNC_F64, n);
    }
}

/* Hashes of the outputs and of the gradients of runs of one kind: a call's model, reset
 * and type. */
static void hash_runs(const snnc_isa *isa, const snnc_call *kind, uint64_t hash[2])
{
    const struct {
        size_t n;
        snnc_type x_type;
    } runs[] = {{1, kind->type},   {7, kind->type}, {33, kind->type},
                {257, kind->type}, {40, SNNC_U8},   {67, SNNC_F16}};
    const snnc_model_info *info = snnc_model_at((int)kind->model);
    const snnc_type type = kind->type;

    seed = 0;
    hash[0] = hash[1] = 0xcbf29ce484222325;
    for (size_t i = 0; i < 2 * sizeof runs / sizeof runs[0]; i++) {
        const size_t n = runs[i / 2].n;
        snnc_call call = *kind;
        call.num_steps = STEPS;
        call.num_neurons = n;
        call.period = i % 2 ? n : 0;
        call.x_type = runs[i / 2].x_type;
        fill(&x, call.x_type, STEPS, n);
        call.x.data = &x;
        call.spk.data = &spk;
        call.spk_type = type;
        call.graded = 1;
        for (int k = 0; k < info->num_states; k++) {
            fill(&state_in[k], type, 1, n);
            call.state_in[k] = &state_in[k];
            call.state_out[k] = &state_out[k];
            call.record[k].data = &record[k];
        }
        for (int k = 0; k < info->num_params; k++) {
            fill_params(&params[k], type, call.period ? n : 1);
            call.params[k] = &params[k];
        }
        if (info->hard) { /* no gradients, and no inhibition */
            run(isa, &call, &hash[0]);
            continue;
        }
        snnc_call inhibited = call;
        inhibited.rivals = n;
        inhibited.workspace = workspace;
        run(isa, &inhibited, &hash[0]);
        for (int k = 0; k < info->num_states; k++)
            call.checkpoint[k] = &checkpoint[k];
        call.interval = INTERVAL;
        run(isa, &call, &hash[0]);
        go_back(isa, &call, &hash[1]);
    }
}

/* Hashes of products of graded and of counted spikes, and of closed loops of Leaky. */
static void hash_networks(const snnc_isa *isa, const snnc_call *kind, uint64_t hash[2])
{
    static const size_t sizes[] = {1, 7, 33, 69};
    const snnc_type type = kind->type;

    seed = 0;
    hash[0] = hash[1] = 0xcbf29ce484222325;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t n = sizes[i], all = ROWS * n;
        snnc_projection projections[2] = {{.delay = 1}, {.delay = DELAYS}};
        snnc_product_call product = SNNC_PRODUCT_INIT;
        snnc_recurrent_call loop = SNNC_RECURRENT_INIT;

        for (int k = 0; k < 2; k++) {
            snnc_weights *const w = &projections[k].weights;
            fill(&weights[k], type, k ? 1 : n, n);
            fill(&current[k], type, 1, all);
            w->kind = k ? SNNC_ONE_TO_ONE : SNNC_DENSE;
            w->num_inputs = w->num_outputs = n;
            w->data = &weights[k];
            projections[k].current_in = projections[k].current_out = &current[k];
        }
        fill_params(&decay, type, n);
        projections[1].decay = &decay;
        projections[1].per_neuron = 1;
        fill(&bias, type, 1, n);
        fill(&past, type, DELAYS, all);

        product.type = type;
        product.weights = projections[0].weights;
        product.num_rows = STEPS;
        product.spk = &x;
        product.bias = &bias;
        product.sum = &sum;
        product.workspace = workspace;
        for (int counts = 0; counts < 2; counts++) {
            product.spk_type = counts ? SNNC_U8 : type;
            fill(&x, product.spk_type, STEPS, n);
            must(snnc_product(isa, &product, 0, STEPS));
            add(&hash[0], &sum, type, STEPS * n);
        }

        loop.call = *kind;
        loop.call.num_steps = STEPS;
        loop.call.num_neurons = all;
        fill(&x, type, STEPS, all);
        loop.call.x.data = &x;
        loop.call.spk.data = &spk;
        fill(&state_out[0], type, 1, all);
        loop.call.state_in[0] = loop.call.state_out[0] = &state_out[0];
        loop.call.record[0].data = &record[0];
        for (int k = 0; k < snnc_model_at((int)kind->model)->num_params; k++) {
            fill_params(&params[k], type, 1);
            loop.call.params[k] = &params[k];
        }
        loop.row_size = n;
        loop.bias = &bias;
        loop.num_projections = 2;
        loop.projections = projections;
        loop.past_in = loop.past_out = &past;
        loop.workspace = workspace;
        if (snnc_recurrent_workspace_size(&loop) > sizeof workspace)
            must(SNNC_TOO_LARGE);
        must(snnc_recurrent(isa, &loop, 0, STEPS, 0, ROWS));
        add(&hash[1], &spk, type, STEPS * all);
        add(&hash[1], &record[0], type, STEPS * all);
        add(&hash[1], &past, type, DELAYS * all);
        for (int k = 0; k < 2; k++)
            add(&hash[1], &current[k], type, all);
    }
}

static void print_hashes(const char *what, const snnc_call *kind,
                         void (*hash_of)(const snnc_isa *, const snnc_call *,
                                         uint64_t *),
                         int count)
{
    uint64_t first[2], hash[2];
    const char *name;

    for (int i = 0; (name = snnc_isa_name_at(i)); i++) {
        const snnc_isa *isa = snnc_isa_find(name);
        if (!isa)
            continue;
        hash_of(isa, kind, hash);
        if (i > 0 && memcmp(hash, first, sizeof hash) == 0)
            continue;
        printf("%s %s", what, kind->type == SNNC_F32 ? "float" : "double");
        for (int k = 0; k < count; k++)
            printf(" %016" PRIx64, hash[k]);
        printf("%s%s\n", i > 0 ? " " : "", i > 0 ? name : "");
        if (i == 0)
            memcpy(first, hash, sizeof first);
    }
}

int main(void)
{
    static const char *const resets[SNNC_NUM_RESETS] = {"subtract", "zero", "none"};
    const snnc_model_info *info;
    snnc_call kind = SNNC_CALL_INIT;
    char what[64];

    for (int model = 0; (info = snnc_model_at(model)); model++)
        for (int reset = 0; reset < SNNC_NUM_RESETS; reset++)
            for (int undelayed = 0; undelayed <= info->undelayed; undelayed++)
                for (int type = SNNC_F32; type <= SNNC_F64; type++) {
                    if (info->hard && reset != SNNC_ZERO)
                        continue;
                    kind.model = (snnc_model)model;
                    kind.reset = (snnc_reset)reset;
                    kind.undelayed = undelayed;
                    kind.type = (snnc_type)type;
                    snprintf(what, sizeof what, "%s %s %s", info->name, resets[reset],
                             undelayed ? "undelayed" : "delayed");
                    print_hashes(what, &kind, hash_runs, info->hard ? 1 : 2);
                }
    for (int type = SNNC_F32; type <= SNNC_F64; type++) {
        kind = (snnc_call)SNNC_CALL_INIT;
        kind.model = SNNC_Leaky;
        kind.type = kind.x_type = kind.spk_type = (snnc_type)type;
        print_hashes("product, closed loop", &kind, hash_networks, 2);
    }
    return 0;
}
