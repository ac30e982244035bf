#pragma once
// A random attention problem in memory: queries, plain keys and values, and the same in pages.

#include <cstring>
#include <random>
#include <vector>

#include "headwise/core/view.hpp"
#include "headwise/kernels/ref/attention.hpp"
#include "headwise/kernels/table.hpp"

namespace headwise_test {

using namespace hw;
using namespace hw::kernels;

struct Shape {
  index_t entries, tokens, heads, kv_heads, key_dim, value_dim;  // heads: of one group
};

struct Problem {
  Problem(const Shape& shape, const AttentionKernels& kernels, unsigned seed = 1, float spread = 1.0f, DType type = DType::f32)
      : shape(shape), kernels(kernels) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0f, spread);
    const index_t heads = shape.heads * shape.kv_heads;
    layout = {shape.kv_heads, shape.key_dim, shape.value_dim, type};
    q.resize(static_cast<std::size_t>(shape.tokens * heads * shape.key_dim));
    k.resize(static_cast<std::size_t>(shape.entries * shape.kv_heads * shape.key_dim));
    v.resize(static_cast<std::size_t>(shape.entries * shape.kv_heads * shape.value_dim));
    for (std::vector<float>* x : {&q, &k, &v})
      for (float& f : *x) f = normal(random);
    const index_t blocks = (shape.entries + kKeyBlock - 1) / kKeyBlock;
    memory = AlignedBuffer<std::byte>(blocks * layout.bytes());
    for (index_t b = 0; b < blocks; ++b) pages.push_back(memory.data() + b * layout.bytes());
    append(0, shape.entries);
    for (index_t i = 0; i < shape.tokens; ++i) {
      query_entry.push_back(shape.entries - shape.tokens + i);
      visible.push_back({0, query_entry.back() + 1});  // causal
    }
    out.resize(static_cast<std::size_t>(shape.tokens * heads * shape.value_dim));
    scratch = AlignedBuffer<float>(attend_scratch(layout));
  }
  Problem(const Problem&) = delete;

  // Writes entries [begin, end) into the pages, a run of slots at a time.
  void append(index_t begin, index_t end) {
    const index_t k_stride = shape.kv_heads * shape.key_dim, v_stride = shape.kv_heads * shape.value_dim;
    while (begin < end) {
      const index_t slot = begin % kKeyBlock, n = std::min(end - begin, kKeyBlock - slot);
      kernels.append(layout, pages[static_cast<std::size_t>(begin / kKeyBlock)], slot, n, k.data() + begin * k_stride, k_stride,
                     v.data() + begin * v_stride, v_stride);
      begin += n;
    }
  }

  // A call for the group of one KV head, over all tokens.
  Attend call(index_t kv_head = 0) {
    Attend a;
    const index_t heads = shape.heads * shape.kv_heads, first = kv_head * shape.heads;
    a.q = q.data() + first * shape.key_dim;
    a.q_token_stride = heads * shape.key_dim, a.q_head_stride = shape.key_dim;
    a.out = out.data() + first * shape.value_dim;
    a.out_token_stride = heads * shape.value_dim, a.out_head_stride = shape.value_dim;
    a.tokens = shape.tokens, a.heads = shape.heads, a.first_head = first;
    a.layout = layout, a.kv_head = kv_head, a.pages = pages.data();
    a.visible = visible.data(), a.query_entry = query_entry.data();
    a.scale = 1.0f / std::sqrt(static_cast<float>(shape.key_dim));
    return a;
  }

  ref::KeysValues plain(index_t kv_head = 0) const {
    return {k.data() + kv_head * shape.key_dim, shape.kv_heads * shape.key_dim, v.data() + kv_head * shape.value_dim,
            shape.kv_heads * shape.value_dim, shape.entries};
  }

  // Tokens [begin, end) of a call.
  static Attend part(Attend a, index_t begin, index_t end) {
    a.q += begin * a.q_token_stride, a.out += begin * a.out_token_stride, a.tokens = end - begin;
    a.visible += begin, a.query_entry += begin;
    if (a.bias != nullptr) a.bias += begin * a.bias_token_stride;
    return a;
  }

  Shape shape;
  const AttentionKernels& kernels;
  KvLayout layout;
  std::vector<float> q, k, v, out;
  AlignedBuffer<std::byte> memory;
  std::vector<std::byte*> pages;
  std::vector<EntryRange> visible;
  std::vector<index_t> query_entry;
  AlignedBuffer<float> scratch;
};

}  // namespace headwise_test
