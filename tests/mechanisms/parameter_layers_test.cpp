// Layers that look up or attend to parameters; structured matrices; embeddings of n-grams; pooling.

#include "headwise/layers/parameter_layers.hpp"

#include "headwise/headwise.hpp"
#include "headwise/layers/pooling.hpp"
#include "tests/mechanisms/golden_mechanism.hpp"

namespace {

using namespace mechanism;

constexpr const char* kHeader = "layers/parameter_layers.hpp";

TEST(Mechanisms, attn_pattention) {
  Golden g("attn_pattention");
  g.expressed_by("ParameterAttention", kHeader, kPart);
  const hw::Build b = g.build({{"key.weight", g["K_P"]}, {"value.weight", g["V_P"].permuted({1, 0})}});
  g.holds("y", run(hw::ParameterAttention({.hidden_size = 12, .tokens = 7, .out = 10}, b), b, g["x"], 10));
  g.leaves_out("s", "the hidden row");
}

TEST(Mechanisms, attn_knowledge_base) {
  Golden g("attn_knowledge_base");
  g.expressed_by("KnowledgeAttention", kHeader, kPart);
  const hw::Build b = g.build({{"base", g["kb"]},
                               {"q.weight", g["w_q"]},
                               {"k.weight", g["w_k"]},
                               {"v.weight", g["w_v"]},
                               {"threshold", g["w_b1"]},
                               {"bias", g["b2"]}});
  g.holds("y", run(hw::KnowledgeAttention({.hidden_size = 12, .entries = 9, .entry_size = 8, .key_size = 6}, b), b, g["x"]));
}

TEST(Mechanisms, ffn_memoryformer_tables) {
  Golden g("ffn_memoryformer_tables");
  g.expressed_by("HashedTables", kHeader, kPart);
  const Array x = g["x"];
  Array p = g["p"];
  for (const bool code : {false, true}) {
    const hw::Build b = g.build({{"tables", g["T"].reshaped({48, 5})}, {"bias", g["b"]}});
    const hw::HashedTables tables({.chunks = 3, .chunk_size = 4, .out = 5, .first_is_high = code}, b);
    std::vector<std::int64_t> rows;
    for (index_t i = 0; i < 42; ++i) {
      const auto entry = tables.look_up(x.values.data() + i * 4);
      rows.push_back(entry.row);
      p[i] = entry.weight;
    }
    g.holds(code ? "idx_code" : "idx", rows);
    if (!code) g.holds("p", p);
    g.holds(code ? "y_code" : "y", run(tables, b, x, 5));
  }
}

TEST(Mechanisms, ffn_codebook) {
  Golden g("ffn_codebook");
  g.expressed_by("Codebook", kHeader, kPart);
  const auto choices = [](const auto& book, const hw::Build& b, Array x) {
    std::vector<std::int64_t> out;
    Rows(1, x.view().rows).frame(b, x, 0, x.view().rows, [&](const hw::Frame& f) {
      const hw::View v = f.at({});
      book.norm.forward(v, v, f);
      for (index_t t = 0; t < v.rows; ++t) {
        index_t chosen[3];
        book.choose(v.row(t), chosen);
        out.insert(out.end(), chosen, chosen + 3);
      }
    });
    return out;
  };
  using Normed = hw::Codebook<hw::LayerNorm>;
  for (const auto& [name, likeness] : {std::pair{"cos", Normed::Likeness::cosine}, std::pair{"eucl", Normed::Likeness::distance}}) {
    const hw::Build b = g.build({{"codes", g["codes"]}, {"norm.weight", g["ln_g"]}, {"norm.bias", g["ln_b"]}});
    const Normed book({.size = 8, .codes = 10, .nearest = 3, .likeness = likeness, .norm = {.size = 8}}, b);
    g.holds(std::string("y_") + name, run(book, b, g["x"]));
    g.holds(std::string("idx_") + name, choices(book, b, g["x"]));
  }
  using Plain = hw::Codebook<hw::NoNorm>;
  const hw::Build b = g.build({{"codes", g["codes"]}});
  const Plain plain({.size = 8, .codes = 10, .nearest = 3, .likeness = Plain::Likeness::dot}, b);
  g.holds("y_dot", run(plain, b, g["x"]));
  g.holds("idx_dot", choices(plain, b, g["x"]));
  // A book for each head: its slice, its norm, its codes.
  Array y = g["y_heads"];
  std::vector<std::int64_t> idx(84);
  for (index_t h = 0; h < 2; ++h) {
    const hw::Build own = g.build({{"codes", g["codes_h"].at(h)}, {"norm.weight", g["lnh_g"].at(h)}, {"norm.bias", g["lnh_b"].at(h)}});
    const Normed book({.size = 4, .codes = 10, .nearest = 3, .norm = {.size = 4}}, own);
    Array slice{{2, 7, 4}, {}};
    const Array x = g["x"];
    for (index_t t = 0; t < 14; ++t) slice.values.insert(slice.values.end(), x.view().row(t) + 4 * h, x.view().row(t) + 4 * h + 4);
    const Array found = run(book, own, slice);
    const auto chosen = choices(book, own, slice);
    for (index_t t = 0; t < 14; ++t) {
      std::copy_n(found.view().row(t), 4, y.view().row(t) + 4 * h);
      std::copy_n(chosen.begin() + t * 3, 3, idx.begin() + (t * 2 + h) * 3);
    }
  }
  g.holds("y_heads", y);
  g.holds("idx_heads", idx);
}

TEST(Mechanisms, ffn_structured_matrices) {
  Golden g("ffn_structured_matrices");
  g.expressed_by("LowRank", kHeader, kModifier);
  g.expressed_by("BlockLinear", kHeader, kModifier);
  hw::Build b = g.build({{"v.weight", g["v_lr"]}, {"u.weight", g["u_lr"]}});
  g.holds("y_lowrank", run(hw::LowRank({.in = 8, .rank = 3, .out = 10}, b), b, g["x"], 10));
  Array sparse = filled({5, 8}, 0);
  const auto columns = g.ints("sc");
  for (index_t i = 0; i < 15; ++i) sparse[i / 3 * 8 + columns[static_cast<std::size_t>(i)]] += g["sv"][i];
  b = g.build({{"v.weight", sparse}, {"u.weight", g["D"]}});
  g.holds("y_dsformer", run(hw::LowRank({.in = 8, .rank = 5, .out = 10}, b), b, g["x"], 10));
  b = g.build({{"v", g["vb"].reshaped({6, 4})}, {"u", g["u_bd"]}});
  g.holds("y_blockdense", run(hw::BlockLinear({.in = 8, .blocks = 2, .rank = 3, .out = 10}, b), b, g["x"], 10));
  b = g.build({{"v", g["B1"].reshaped({8, 4})}, {"u", g["B2"].reshaped({10, 4})}});
  const hw::BlockLinear shuffle({.in = 8, .blocks = 2, .rank = 4, .out = 10, .shuffle = true}, b);
  g.holds("y_blockshuffle", run(shuffle, b, g["x"], 10));
  g.holds("dense_blockshuffle", run(shuffle, b, identity(8).reshaped({1, 8, 8}), 10).reshaped({8, 10}).permuted({1, 0}));
}

TEST(Mechanisms, ffn_hourglass_hier_memory) {
  Golden g("ffn_hourglass_hier_memory");
  g.expressed_by("Hourglass", kHeader, kPart);
  const Array a = g["a"], c = g["c"];
  const hw::Build b = g.build({{"project.weight", g["pr"]},
                               {"out.weight", g["out"]},
                               {"0.up.weight", a.at(0)},
                               {"1.up.weight", a.at(1)},
                               {"0.down.weight", c.at(0)},
                               {"1.down.weight", c.at(1)}});
  g.holds("y_hg", run(hw::Hourglass({.hidden_size = 8, .wide = 16, .narrow = 5, .layers = 2}, b), b, g["x"]));
  for (const char* memory : {"y_mem", "fetched"})
    g.leaves_out(memory, "rows of a layer fetched for a sequence: Linear has no adapter by sequence yet");
}

TEST(Mechanisms, emb_ngram_hash) {
  Golden g("emb_ngram_hash");
  g.expressed_by("NgramEmbedding", kHeader, kPart);
  const auto all = g.ints("ids");
  const std::vector<std::int32_t> ids(all.begin(), all.end());
  for (const bool paper : {false, true}) {
    const hw::Build b = g.build({{"weight", g["E"]}, {"2.weight", g["T2"]}, {"3.weight", g["T3"]}});
    const hw::NgramEmbedding embedding({.vocab_size = 257, .size = 4, .rows = 11, .newest_first = paper}, b);
    Array e = filled({2, 12, 4}, 0);
    std::vector<std::int64_t> rows[2];
    for (index_t s = 0; s < 2; ++s) {
      const auto own = std::span(ids).subspan(static_cast<std::size_t>(s) * 12, 12);
      embedding.embed(own, e.view().row_range(s * 12, s * 12 + 12));
      for (index_t n = 2; n < 4; ++n)
        for (index_t t = 0; t < 12; ++t) rows[n - 2].push_back(embedding.hash(own, t, n));
    }
    const std::string suffix = paper ? "_paper" : "";
    g.holds("e" + suffix, e);
    g.holds("hash2" + suffix, rows[0]);
    g.holds("hash3" + suffix, rows[1]);
  }
}

TEST(Mechanisms, emb_pooling) {
  Golden g("emb_pooling");
  g.expressed_by("Pooling", "layers/pooling.hpp", kStock);
  const auto lengths = g.ints("length");
  const Array h = g["h"];
  for (const auto& [name, pooling] :
       {std::pair{"mean", hw::Pooling::mean}, std::pair{"cls", hw::Pooling::first}, std::pair{"last", hw::Pooling::last},
        std::pair{"max", hw::Pooling::max}, std::pair{"wmean", hw::Pooling::weighted_mean}}) {
    Array out = filled({3, 8}, 0);
    for (index_t s = 0; s < 3; ++s)
      hw::pool(pooling, h.view().row_range(s * 7, s * 7 + lengths[static_cast<std::size_t>(s)]), {out.view().row(s), 8});
    g.holds(name, out);
  }
  for (const char* other : {"att", "mrl", "bt", "logits"})
    g.leaves_out(other, "attentive pooling, and maps of the pooled vector: heads of stages to come");
}

}  // namespace
