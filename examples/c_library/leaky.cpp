/* The same in C++: neurons that own their states, each with a beta of its own, step
 * through a sequence chunk by chunk. */
#include <cstddef>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <utility>
#include <vector>

#include "snnc.h"

class Leaky {
  public:
    explicit Leaky(std::vector<float> beta, float threshold = 1)
        : isa_(snnc_isa_find(nullptr)), beta_(std::move(beta)),
          threshold_(beta_.size(), threshold), factor_(beta_.size(), 1),
          mem_(beta_.size())
    {
        if (!snnc_self_check(isa_))
            throw std::runtime_error("snnc was compiled with fused multiply-add");
    }

    const std::vector<float> &mem() const
    {
        return mem_;
    }

    /* Goes on by as many steps as x has rows: one spike, 0 or 1, for each of its
     * values. */
    std::vector<float> run(const std::vector<float> &x)
    {
        if (mem_.empty() || x.size() % mem_.size() != 0)
            throw std::invalid_argument(
                "x must have rows of one value for each neuron");
        std::vector<float> spk(x.size());
        snnc_call call = SNNC_CALL_INIT;
        call.model = SNNC_Leaky;
        call.num_steps = x.size() / mem_.size();
        call.num_neurons = mem_.size();
        call.x.data = x.data();
        call.spk.data = spk.data();
        call.state_out[0] = mem_.data();
        call.params[0] = threshold_.data();
        call.params[1] = beta_.data();
        call.params[2] = factor_.data();
        call.period = mem_.size(); /* parameters: one for each neuron */
        const snnc_status status =
            snnc_run(isa_, &call, 0, call.num_steps, 0, call.num_neurons);
        if (status != SNNC_OK)
            throw std::runtime_error(snnc_strerror(status));
        return spk;
    }

  private:
    const snnc_isa *isa_; /* shared, never freed */
    std::vector<float> beta_, threshold_, factor_, mem_;
};

int main()
try {
    const std::size_t chunks = 4, steps = 10, neurons = 10;
    std::vector<float> beta, x(steps * neurons);
    for (std::size_t i = 0; i < neurons; i++)
        beta.push_back(static_cast<float>(i + 1) / 16);
    Leaky layer(beta);

    for (std::size_t t = 0; t < chunks * steps; t += steps) {
        for (std::size_t j = 0; j < x.size(); j++)
            x[j] =
                static_cast<float>((37 * (t + j / neurons) + 11 * (j % neurons)) % 64) /
                64;
        const std::vector<float> spk = layer.run(x);
        for (std::size_t j = 0; j < spk.size(); j++)
            std::printf(j % neurons == neurons - 1 ? "%c\n" : "%c",
                        spk[j] > 0 ? '|' : '.');
    }
    for (const float mem : layer.mem())
        std::printf("%a\n", static_cast<double>(mem));
    return 0;
}
catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
