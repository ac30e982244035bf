// Mixers over whole sequences.

#include "headwise/mixers/sequence_mixers.hpp"

#include "tests/mechanisms/golden_mechanism.hpp"

namespace {

using namespace mechanism;

constexpr const char* kHeader = "mixers/sequence_mixers.hpp";

TEST(Mechanisms, attn_linformer) {
  Golden g("attn_linformer");
  g.expressed_by("Linformer", kHeader, kPart);
  const hw::Build b = g.build({{"q.weight", g["w_q"]},
                               {"k.weight", g["w_k"]},
                               {"v.weight", g["w_v"]},
                               {"o.weight", g["w_o"]},
                               {"o.bias", g["b_o"]},
                               {"e", g["E"]},
                               {"f", g["F"]}});
  g.holds("y", run(hw::Linformer({.hidden_size = 12, .num_attention_heads = 2, .tokens = 9, .rank = 4}, b), b, g["x"]));
  g.leaves_out("probs", "a row at a time");
}

TEST(Mechanisms, attn_fastformer) {
  Golden g("attn_fastformer");
  g.expressed_by("Fastformer", kHeader, kPart);
  const auto diagonal = [&](const char* name) {
    Array out = filled({2, 12}, 0);
    for (index_t i = 0; i < 12; ++i) out[i / 6 * 12 + i] = g[name][i];
    return out;
  };
  for (const bool released : {false, true}) {
    const hw::Build b = g.build({{"q.weight", g["w_q"]},
                                 {"k.weight", g["w_k"]},
                                 {"r.weight", g["w_r"]},
                                 {"r.bias", g["b_r"]},
                                 {"a", released ? g["wa_full"] : diagonal("w_a")},
                                 {"b", released ? g["wb_full"] : diagonal("w_b")}});
    g.holds(released ? "y_released" : "y", run(hw::Fastformer({.hidden_size = 12, .num_attention_heads = 2}, b), b, g["x"]));
  }
  for (const char* weights : {"alpha", "betaw"}) g.leaves_out(weights, "summed up where they are made");
}

TEST(Mechanisms, attn_hopfield) {
  Golden g("attn_hopfield");
  g.expressed_by("HopfieldRetrieval", kHeader, kPart);
  const Array states = joined(g["r"]), stored = joined(g["ystored"]);
  Array x{{2, 11, 10}, {}};
  Rows rows(2, 11);
  for (index_t s = 0; s < 2; ++s)
    for (const Array* part : {&states, &stored}) {
      const Array own = part->at(s);
      x.values.insert(x.values.end(), own.values.begin(), own.values.end());
      rows.marks.insert(rows.marks.end(), static_cast<std::size_t>(own.dim(0)), part == &stored ? 1 : 0);
    }
  const auto of_states = [&](index_t updates, const Array& v) {
    const hw::Build b = g.build({{"v", v}});
    const Array y = run(hw::HopfieldRetrieval({.num_heads = 2, .head_dim = 5, .updates = updates, .beta = 0.7f}, b), b, x, 10, &rows);
    Array out{{2, 4, 10}, {}};
    for (index_t s = 0; s < 2; ++s) out.values.insert(out.values.end(), y.view().row(s * 11), y.view().row(s * 11 + 4));
    return heads_of(out, 2);
  };
  g.holds("o", of_states(2, g["w_v"].reshaped({10, 5})));
  Array unit = filled({10, 5}, 0);
  for (index_t i = 0; i < 10; ++i) unit[i * 5 + i % 5] = 1;
  g.holds("xi", of_states(1, unit));
  g.leaves_out("probs", "a row at a time");
}

}  // namespace
