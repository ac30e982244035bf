#pragma once
// Attention kernels: one KV head of one sequence; reached through `Table::attention`, or with a score or a normaliser of your own
// through kernels/attention_policy.hpp.
//
// One row (a query token's head) sees keys in blocks of 64 entries and segments of 1024, both anchored at absolute entry numbers. A
// segment has its own running maximum, sum and output; segments are merged in ascending order, also on one thread. So a row's bits
// depend on the row, the entries it sees and the instruction set: never on which rows, blocks or threads surround it.

#include "headwise/core/config.hpp"
#include "headwise/core/dtype.hpp"
#include "headwise/core/function_ref.hpp"

namespace hw::kernels {

inline constexpr index_t kKeyBlock = 64;      // entries of a page
inline constexpr index_t kKeySegment = 1024;  // entries that share a running maximum

/// Can keys and values be stored as this type?
constexpr bool is_kv_type(DType type) noexcept {
  return type == DType::f32 || type == DType::f16 || type == DType::bf16 || type == DType::q8_0;
}

/// A page holds 64 entries of one sequence: for each KV head K transposed (key_dim, 64), then V (64, value_stride()). Slots that hold
/// no entry yet, and the columns behind value_dim, hold zeros: allocate pages zeroed. Types below f32 round to nearest even; they are
/// widened, exactly, a block at a time, and then calculated with like f32. q8_0: x = scale q with q = round(x / scale) in int8 and
/// scale = max |x| / 127 over the key_dim (value_dim) numbers of an entry; 64 scales as floats lie before the numbers.
struct KvLayout {
  index_t heads = 0;
  index_t key_dim = 0;
  index_t value_dim = 0;
  DType type = DType::f32;  // is_kv_type

  constexpr index_t value_stride() const noexcept { return (value_dim + 15) / 16 * 16; }
  constexpr index_t element_bytes() const noexcept { return type == DType::f32 ? 4 : type == DType::q8_0 ? 1 : 2; }
  constexpr index_t scales_bytes() const noexcept { return type == DType::q8_0 ? kKeyBlock * 4 : 0; }
  constexpr index_t keys_bytes() const noexcept { return scales_bytes() + key_dim * kKeyBlock * element_bytes(); }
  constexpr index_t values_bytes() const noexcept { return scales_bytes() + value_stride() * kKeyBlock * element_bytes(); }
  constexpr index_t key_offset(index_t head) const noexcept { return head * (keys_bytes() + values_bytes()); }
  constexpr index_t value_offset(index_t head) const noexcept { return key_offset(head) + keys_bytes(); }
  /// Of one page; a multiple of 64. Pages are aligned to 64 bytes.
  constexpr index_t bytes() const noexcept { return key_offset(heads); }
};

/// Entries [begin, end).
struct EntryRange {
  index_t begin = 0;
  index_t end = 0;
};

/// One query row of a tile.
struct QueryRow {
  index_t token = 0;         // as in Attend: 0 <= token < tokens
  index_t head = 0;          // of the model: first_head + head of the group
  index_t entry = 0;         // Attend::query_entry[token], or 0
  const float* q = nullptr;  // (key_dim)
};

/// The scores of `rows` query rows and the 64 entries that begin at `entry`, for policies to change. Entries that a row does not see
/// are in the tile too, with any value; they are masked afterwards.
struct ScoreTile {
  float* scores = nullptr;  // (rows, 64)
  int rows = 0;
  const QueryRow* row = nullptr;  // (rows)
  index_t entry = 0;
  const float* keys = nullptr;  // (key_dim, 64): K transposed
  index_t key_dim = 0;

  float& operator()(int i, int key) const noexcept { return scores[i * kKeyBlock + key]; }
};

/// What one call computes. Row (token i, head j) of the group's heads, which share this KV head:
///   s_e = scale q . k_e;  s_e = cap tanh(s_e / cap);  s_e += alibi_j (e - query_entry_i) + bias_ije;  then `adjust`, then the mask
///   out = sum_e exp(s_e) v_e / (sum_e exp(s_e) + exp(sink_j));    a row that sees nothing gives zeros.
/// A score of -inf counts as not seen. Entries that a row does not see cannot change it, whatever they hold.
struct Attend {
  const float* q = nullptr;  // row (i, j) at q + i q_token_stride + j q_head_stride, (key_dim)
  index_t q_token_stride = 0;
  index_t q_head_stride = 0;
  float* out = nullptr;  // likewise, (value_dim); may be q's memory where the rows coincide
  index_t out_token_stride = 0;
  index_t out_head_stride = 0;
  index_t tokens = 0;
  index_t heads = 0;       // query heads of the group
  index_t first_head = 0;  // the model's number of the group's first head (only policies read it)

  KvLayout layout;
  index_t kv_head = 0;
  const std::byte* const* pages = nullptr;  // pages[b - first_block] holds entries [64 b, 64 b + 64); unseen pages may be null
  index_t first_block = 0;

  const EntryRange* visible = nullptr;   // (tokens): what each token sees: causal, window, chunk, prefix, all
  const index_t* query_entry = nullptr;  // (tokens): entry number of each query; null where neither ALiBi nor a policy reads it
  /// Of a token and a block of 64 entries, a bit per entry that it sees, within `visible`: trees, block-sparse, global tokens.
  const FunctionRef<std::uint64_t(index_t token, index_t block)>* sees = nullptr;

  float scale = 1.0f;
  float soft_cap = 0.0f;          // 0: none
  const float* alibi = nullptr;   // (heads): slopes
  const float* sink = nullptr;    // (heads): the logit of a key without a value
  const float* bias = nullptr;    // of row (i, j) and entry e: bias[i bias_token_stride + j bias_head_stride + e]; read where e is seen
  index_t bias_token_stride = 0;  // -1 for a table of relative distances
  index_t bias_head_stride = 0;
  const FunctionRef<void(const ScoreTile&)>* adjust = nullptr;  // called per tile; a policy (attention_policy.hpp) costs no call
};

/// Floats of scratch that a call needs, aligned to 64 bytes.
constexpr index_t attend_scratch(const KvLayout& layout) noexcept {
  const index_t block = layout.type == DType::f32 ? 0 : kKeyBlock * (layout.key_dim + layout.value_stride());
  return 64 * (layout.key_dim + 2 * layout.value_stride() + 16) + 2 * 8 * kKeyBlock + 8 * layout.value_stride() + 64 + block;
}

/// Floats of one row's partial result of one segment.
constexpr index_t partial_size(const KvLayout& layout) noexcept { return layout.value_stride() + 16; }

/// The segments that [range.begin, range.end) touches: [begin, end) of segment numbers.
constexpr EntryRange segments_of(EntryRange range) noexcept {
  return range.begin < range.end ? EntryRange{range.begin / kKeySegment, (range.end + kKeySegment - 1) / kKeySegment} : EntryRange{};
}

struct AttentionKernels {
  /// Writes n entries into slots [slot, slot + n) of a page: k (n, heads * key_dim), v (n, heads * value_dim), rows strides apart.
  void (*append)(const KvLayout& layout, std::byte* page, index_t slot, index_t n, const float* k, index_t k_stride, const float* v,
                 index_t v_stride);

  /// All of `a`. Cost: 2 (key_dim + value_dim) flops per row and entry, in blocks that some row of 8 sees.
  void (*attend)(const Attend& a, float* scratch);

  /// The same in two steps, for long contexts and few rows: attend_segment writes partials (tokens * heads, partial_size), each call
  /// perhaps on a thread of its own; then merge_segments takes `segments` such arrays, one after the other in ascending order, and
  /// writes a.out (and overwrites the first array). Segments that no row sees may be left out. Same bits as attend.
  void (*attend_segment)(const Attend& a, index_t segment, float* partials, float* scratch);
  void (*merge_segments)(const Attend& a, float* partials, index_t segments);
};

}  // namespace hw::kernels
