#pragma once
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "headwise/mixers/attention/attention.hpp"

namespace hw::detail {

// Slopes of ALiBi: 2^(-8 i / n) for the largest power of two n <= heads, then every second one of the next power.
HEADWISE_LOAD_TIME std::vector<float> alibi_slopes(index_t heads) {
  const auto n = static_cast<index_t>(std::bit_floor(static_cast<std::uint64_t>(heads)));
  std::vector<float> out;
  for (index_t i = 0; i < heads; ++i)
    out.push_back(static_cast<float>(i < n ? std::exp2(-8.0 * static_cast<double>(i + 1) / static_cast<double>(n))
                                           : std::exp2(-4.0 * static_cast<double>(2 * (i - n) + 1) / static_cast<double>(n))));
  return out;
}

HEADWISE_INLINE std::span<const std::span<const std::byte* const>> store_entries(const Frame& f, const kernels::KvLayout& layout,
                                                                                 const Qkv& qkv, const States<KvState>& states) {
  constexpr index_t kBlock = kernels::kKeyBlock;
  const TokenSet& tokens = f.tokens();
  Arena& arena = f.step.arena;
  const auto out = arena.take<std::span<const std::byte* const>>(static_cast<index_t>(tokens.sequences.size()));
  for (std::size_t s = 0; s < tokens.sequences.size(); ++s) {
    const RowRange rows = tokens.sequences[s];
    const index_t before = states.empty() ? 0 : states[s].size();
    const index_t first = before / kBlock, count = (before + rows.size() + kBlock - 1) / kBlock;
    const auto pages = arena.take<std::byte*>(count);
    if (states.empty()) {
      const auto memory = arena.take<std::byte>(count * layout.bytes());
      for (index_t i = 0; i < count; ++i) pages[static_cast<std::size_t>(i)] = memory.data() + i * layout.bytes();
      std::memset(pages[static_cast<std::size_t>(count) - 1], 0, static_cast<std::size_t>(layout.bytes()));
      if (layout.value_stride() != layout.value_dim) std::memset(memory.data(), 0, memory.size());
    } else {
      for (index_t i = 0; i < count; ++i) pages[static_cast<std::size_t>(i)] = states[s].page(i);
    }
    f.step.parallel_rows(count - first, kBlock * layout.heads * (layout.key_dim + layout.value_dim), [&](index_t begin, index_t end) {
      for (index_t page = first + begin; page < first + end; ++page) {
        const index_t from = std::max(before, page * kBlock), to = std::min(before + rows.size(), (page + 1) * kBlock);
        const index_t row = rows.begin + from - before;
        f.step.kernels.attention.append(layout, pages[static_cast<std::size_t>(page)], from - page * kBlock, to - from, qkv.k.row(row),
                                        qkv.k.stride, qkv.v.row(row), qkv.v.stride);
      }
    });
    out[s] = {const_cast<const std::byte* const*>(pages.data()), pages.size()};
  }
  return out;
}

HEADWISE_INLINE void attend_heads(const AttentionCall& call, std::size_t sequence, RowRange rows, index_t kv_head, index_t heads,
                                  FunctionRef<void(kernels::Attend&)> body) {
  kernels::Attend a;
  const index_t head = kv_head * heads;
  a.q = call.qkv.q.row(rows.begin) + head * call.layout.key_dim;
  a.q_token_stride = call.qkv.q.stride;
  a.q_head_stride = call.layout.key_dim;
  a.out = call.out.row(rows.begin) + head * call.layout.value_dim;
  a.out_token_stride = call.out.stride;
  a.out_head_stride = call.layout.value_dim;
  a.tokens = rows.size();
  a.heads = heads;
  a.first_head = head;
  a.layout = call.layout;
  a.kv_head = kv_head;
  a.pages = call.pages[sequence].data();
  a.visible = call.visible.data() + rows.begin;
  a.query_entry = call.frame.tokens().index.data() + rows.begin;
  a.scale = call.scale;
  a.soft_cap = call.soft_cap;
  a.alibi = call.alibi != nullptr ? call.alibi + head : nullptr;
  a.sink = call.sinks != nullptr ? call.sinks + head : nullptr;
  if (call.bias.values != nullptr) {  // entry e is read at distance e - (entry of the row)
    a.bias = call.bias.values + head * (2 * call.bias.reach + 1) + call.bias.reach -
             call.frame.tokens().index[static_cast<std::size_t>(rows.begin)];
    a.bias_token_stride = -1;
    a.bias_head_stride = 2 * call.bias.reach + 1;
  }
  const auto of_token = [&](index_t token, index_t block) { return (*call.sees)(rows.begin + token, block); };
  const FunctionRef<std::uint64_t(index_t, index_t)> sees(of_token);
  if (call.sees != nullptr) a.sees = &sees;
  const TokenSet& tokens = call.frame.tokens();
  const index_t end = tokens.sequences[sequence].end;
  const ScoreSite site{call.frame, call.qkv, rows.begin, end - tokens.total[sequence], end};
  const auto of_tile = [&](const kernels::ScoreTile& tile) { (*call.adjust)(site, tile); };
  const FunctionRef<void(const kernels::ScoreTile&)> adjust(of_tile);
  if (call.adjust != nullptr) a.adjust = &adjust;
  body(a);
}

HEADWISE_INLINE void run_attention(const AttentionCall& call) {
  const Frame& f = call.frame;
  const TokenSet& tokens = f.tokens();
  const kernels::AttentionKernels& kernel = f.step.kernels.attention;
  Executor& executor = f.step.executor;
  Arena& arena = f.step.arena;
  const index_t groups = call.layout.heads, group = call.heads / groups;
  const index_t tile = std::max<index_t>(8, 64 / group);  // tokens of a task: about 64 query rows

  // What the tokens [0, n) of a task see together.
  const auto joint = [](const EntryRange* visible, index_t n) {
    EntryRange seen = visible[0];
    for (index_t t = 1; t < n; ++t) seen = {std::min(seen.begin, visible[t].begin), std::max(seen.end, visible[t].end)};
    return kernels::segments_of(seen);
  };

  // A task is one KV head and one tile of one sequence's tokens.
  struct Task {
    std::size_t sequence;
    RowRange rows;
    index_t group;
  };
  index_t count = 0;
  for (const RowRange& rows : tokens.sequences) count += (rows.size() + tile - 1) / tile * groups;
  const auto tasks = arena.take<Task>(count);
  index_t n = 0, segments = 1;
  for (std::size_t s = 0; s < tokens.sequences.size(); ++s)
    for (index_t g = 0; g < groups; ++g)
      for (index_t at = tokens.sequences[s].begin; at < tokens.sequences[s].end; at += tile) {
        const RowRange rows{at, std::min(at + tile, tokens.sequences[s].end)};
        tasks[static_cast<std::size_t>(n++)] = {s, rows, g};
        const EntryRange own = joint(call.visible.data() + rows.begin, rows.size());
        segments = std::max(segments, own.end - own.begin);
      }

  const auto with_task = [&](const Task& task, FunctionRef<void(kernels::Attend&)> body) {
    attend_heads(call, task.sequence, task.rows, task.group, group, body);
  };
  const index_t scratch_size = (kernels::attend_scratch(call.layout) + 15) / 16 * 16;

  // Few tasks over a long context: segments of a task run side by side, and are merged in their order.
  if (segments > 1 && count < 4 * executor.threads() && executor.threads() > 1 && call.attend == nullptr) {
    const index_t partial = tile * group * kernels::partial_size(call.layout);
    const auto partials = arena.take<float>(count * segments * partial);
    const int workers = static_cast<int>(std::min<index_t>(executor.threads(), count * segments));
    const auto scratch = arena.take<float>(scratch_size * workers);
    std::atomic<index_t> next{0};
    executor.run(workers, [&](int worker) {
      for (index_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count * segments;)
        with_task(tasks[static_cast<std::size_t>(i / segments)], [&](kernels::Attend& a) {
          const EntryRange own = joint(a.visible, a.tokens);
          float* task = partials.data() + i / segments * segments * partial;  // its arrays lie side by side, without gaps
          const index_t array = a.tokens * a.heads * kernels::partial_size(a.layout);
          if (own.begin + i % segments < own.end)
            kernel.attend_segment(a, own.begin + i % segments, task + i % segments * array, scratch.data() + worker * scratch_size);
        });
    });
    for (index_t i = 0; i < count; ++i)
      with_task(tasks[static_cast<std::size_t>(i)], [&](kernels::Attend& a) {
        const EntryRange own = joint(a.visible, a.tokens);
        kernel.merge_segments(a, partials.data() + i * segments * partial, own.end - own.begin);
      });
    return;
  }

  const index_t work = 64 * 64 * (call.layout.key_dim + call.layout.value_dim) / 16;
  const int workers = count == 1 || count * work < (1 << 13) ? 1 : static_cast<int>(std::min<index_t>(executor.threads(), count));
  const auto scratch = arena.take<float>(scratch_size * workers);
  const FunctionRef<void(const kernels::Attend&, float*)> stock(kernel.attend);
  const auto& attend = call.attend != nullptr ? *call.attend : stock;
  std::atomic<index_t> next{0};
  const auto drain = [&](int worker) {
    for (index_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;)
      with_task(tasks[static_cast<std::size_t>(i)], [&](kernels::Attend& a) { attend(a, scratch.data() + worker * scratch_size); });
  };
  if (workers == 1) {
    drain(0);
  } else {
    executor.run(workers, drain);
  }
}

}  // namespace hw::detail
