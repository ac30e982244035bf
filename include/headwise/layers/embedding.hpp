#pragma once
// From token ids to rows of the residual stream.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "headwise/flow/build.hpp"
#include "headwise/flow/concepts.hpp"
#include "headwise/layers/linear.hpp"
#include "headwise/layers/norms.hpp"

namespace hw {

/// A table of rows, read in the type that the file has.
class EmbeddingTable {
 public:
  EmbeddingTable() = default;
  EmbeddingTable(index_t count, index_t width, const Build& b) : source_(b.matrix("weight", count, width)) {}

  index_t count() const noexcept { return source_.rows; }
  /// out += or = scale * row `i`.
  void row(index_t i, float scale, bool add, std::span<float> out, const Step& step) const;

 private:
  MatrixSource source_;
};

/// A table that is read at one axis of a row's coordinates, or at the difference of two: x[t] += T[coord[t, axis] - coord[t, minus]].
/// A coordinate that the caller did not give is 0.
struct CoordTable {
  std::string name{};  // of its weights: `name`.weight (rows, width); several tables may share them
  index_t rows = 0;
  int axis = 0;
  int minus = -1;  // -1: nothing is taken away
};

/// x[t] = norm(scale * E[id_t] + P[coord_t + offset] + S[mark_t] + sum of Config::tables + sinusoids of coord_t + offset)
///
/// The tables may be narrower or wider than the stream (ALBERT, arXiv:1909.11942): `projection` maps E's row before the others are added,
/// or the row after the norm.
/// Weights: `weight` (v, width); `positions.weight` (max positions, width) where Config::positions > 0; `types.weight` where
/// Config::types > 0; `norm.*`, `projection.*` and further tables by the config. Rows that came in as vectors (width columns) take the
/// place of E's.
class Embedding {
 public:
  static constexpr Couples couples = Couples::nothing;
  enum class Projection : std::uint8_t { none, tokens, rows };
  struct Config {
    index_t vocab_size = 0;  // 0: there is no E, every row comes as a vector
    index_t hidden_size = 0;
    float scale = 1.0f;
    index_t positions = 0;        // rows of a learned position table; 0: none
    index_t position_offset = 0;  // added to coord before the table is read
    index_t types = 0;            // rows of a token type table, indexed by mark; 0: none
    AnyNormConfig norm{};
    index_t embedding_size = 0;                // width of E; 0: hidden_size
    Projection projection = Projection::none;  // of E's rows, so that all other tables have hidden_size columns; or of the normed rows
    bool projection_bias = true;
    std::vector<CoordTable> tables{};
    // Above 0: [sin(p f), cos(p f)] is added, f_i = 10000^(-i / sinusoid_steps), i < columns / 2, p = coord_t + position_offset. It is
    // columns / 2 in the paper, one less in others.                                                    arXiv:1706.03762
    index_t sinusoid_steps = 0;
    // Token dropout, as protein models were trained with: E's row of this id is 0, and all others are multiplied by
    // (1 - 0.15 * 0.8) / (1 - this id's share of the sequence). Below 0: off.                           doi:10.1126/science.ade2574
    std::int32_t mask_id = -1;
    std::int32_t zero_id = -1;  // E's row of this id is 0: a decoder that begins with no word
    // `projection` (of the tokens) gets E's rows of the next, this and the previous token side by side, zeros beyond the ends of the
    // sequence. A caller who pads, and whose reference looks at the padding, gives what follows the last token as axis 1 of its coordinates
    // (an id; below 0: nothing). For encoders.                                                          MobileBERT, arXiv:2004.02984
    bool trigram = false;
    bool affine = false;  // at the end x = (x + shift) gain, channel by channel: weights `shift`, `gain` (hidden_size)

    index_t width() const noexcept { return embedding_size > 0 ? embedding_size : hidden_size; }
    /// Columns that the projection reads.
    index_t projected() const noexcept { return trigram ? 3 * width() : width(); }
  };

  Embedding(const Config& c, const Build& b);

  /// Fills stream 0. `vectors`: rows for the tokens whose id is -1, in order.
  void forward(ConstView vectors, const Frame& f) const;

  const Config& config() const noexcept { return config_; }

 private:
  View trigrams(ConstView x, const Frame& f) const;
  void add_tables(View x, const Frame& f) const;

  Config config_;
  EmbeddingTable tokens_;
  std::optional<EmbeddingTable> positions_;
  std::optional<EmbeddingTable> types_;
  std::vector<EmbeddingTable> tables_;
  std::vector<double> frequencies_;  // of the sinusoids
  AnyNorm norm_;
  std::optional<Linear> projection_;
  std::vector<float> shift_, gain_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/layers/embedding.inl.hpp"
#endif
