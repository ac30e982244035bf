// An architecture that nobody ships: a recurrence written here, interleaved with sliding-window attention. It has random weights, so
// it says nothing sensible; but it decodes, forks and rewinds like any model, because its state is a state like any other.

#include <headwise/headwise.hpp>
#include <iostream>

// h_t = a_t h_{t-1} + (1 - a_t) v_t,  a_t = sigmoid(Wa x_t),  v_t = Wv x_t,  delta_t = Wo h_t
struct GatedAverage {
  static constexpr std::string_view kName = "average";
  using State = hw::RecurrentState;
  struct Config { hw::index_t size = 0; };
  GatedAverage(const Config& c, const hw::Build& b) : n(c.size), in(n, {{"a", n}, {"v", n}}, b), out(n, n, false, b.scope("o")) {}
  State make_state() const { return State(n); }

  void forward(hw::In x, hw::View delta, const hw::States<State>& states) const {
    const hw::Frame& f = x.frame;
    const hw::View av = f.step.arena.take_view(x.x.rows, 2 * n), h = f.step.arena.take_view(x.x.rows, n);
    in.forward(x.x, av, f);
    for (std::size_t s = 0; s < f.tokens().sequences.size(); ++s) {
      const hw::RowRange rows = f.tokens().sequences[s];
      const auto [from, to] = hw::advance(states, s, rows.size(), n, f.step.arena);
      for (hw::index_t j = 0; j < n; ++j) {
        float now = from[j];
        for (hw::index_t t = rows.begin; t < rows.end; ++t) {
          const float a = 1 / (1 + std::exp(-av(t, j)));
          h(t, j) = now = a * now + (1 - a) * av(t, n + j);
        }
        to[j] = now;
      }
    }
    out.forward(h, delta, f);
  }
  hw::index_t n;
  hw::Linear in, out;
};

int main() {
  using Mlp = hw::PreNorm<hw::RmsNorm, hw::GatedMlp>;
  using Recurrent = hw::Block<hw::PreNorm<hw::RmsNorm, GatedAverage>, Mlp>;
  using Window = hw::Block<hw::PreNorm<hw::RmsNorm, hw::Attention<>>, Mlp>;
  using Hybrid = hw::Decoder<Recurrent, Window>;

  const hw::index_t d = 64;
  const hw::RmsNorm::Config norm{.size = d};
  const hw::GatedMlp::Config mlp{.hidden_size = d, .intermediate_size = 160};
  hw::Attention<>::Config attention{.project = {.hidden_size = d, .num_attention_heads = 4, .num_key_value_heads = 2, .head_dim = 16}, .mask = {.window = 32}};
  attention.project.rotary = hw::RotaryConfig{.dims = 16};
  const Recurrent::Config recurrent{{{norm}, {d}}, {{norm}, mlp}};
  const Window::Config window{{{norm}, attention}, {{norm}, mlp}};
  const Hybrid model({.embedding = {.vocab_size = 100, .hidden_size = d}, .blocks = {recurrent, recurrent, window, recurrent, recurrent, window},
                      .norm = norm, .heads = {{.name = "logits", .stages = {hw::DenseStage{"", 100, false}}}}}, hw::RandomWeights{.seed = 1});

  hw::StateSet state = model.make_state();
  const auto first = hw::generate(model, state, {1, 2, 3}, {.max_new_tokens = 20});
  std::cout << "replayed " << model.rewind(state, 2) << " tokens to go back into the prompt\n";
  const auto again = hw::generate(model, state, {3}, {.max_new_tokens = 20});
  std::cout << (first.ids == again.ids ? "the same 20 tokens again\n" : "other tokens: a bug\n");
  return first.ids == again.ids ? 0 : 1;
}
