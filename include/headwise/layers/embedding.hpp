#pragma once
// From token ids to rows of the residual stream.

#include <optional>
#include <variant>
#include <vector>

#include "headwise/flow/build.hpp"
#include "headwise/flow/concepts.hpp"
#include "headwise/layers/norms.hpp"

namespace hw {

/// A norm that is chosen by the configuration.
using AnyNorm = std::variant<NoNorm, RmsNorm, LayerNorm>;
using AnyNormConfig = std::variant<NoNorm::Config, RmsNorm::Config, LayerNorm::Config>;
AnyNorm make_norm(const AnyNormConfig& config, const Build& b);

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

/// x[t] = norm(scale * E[id_t] + P[coord_t + offset] + S[mark_t])
///
/// Weights: `weight` (v, d); `positions.weight` (max positions, d) where Config::positions > 0; `types.weight` where
/// Config::types > 0; `norm.*` by its config. Rows that came in as vectors take their place before positions and types are added.
class Embedding {
 public:
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t vocab_size = 0;
    index_t hidden_size = 0;
    float scale = 1.0f;
    index_t positions = 0;        // rows of a learned position table; 0: none
    index_t position_offset = 0;  // added to coord before the table is read
    index_t types = 0;            // rows of a token type table, indexed by mark; 0: none
    AnyNormConfig norm{};
  };

  Embedding(const Config& c, const Build& b);

  /// Fills stream 0. `vectors`: rows for the tokens whose id is -1, in order.
  void forward(ConstView vectors, const Frame& f) const;

  const Config& config() const noexcept { return config_; }

 private:
  Config config_;
  EmbeddingTable tokens_;
  std::optional<EmbeddingTable> positions_;
  std::optional<EmbeddingTable> types_;
  AnyNorm norm_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/layers/embedding.inl.hpp"
#endif
