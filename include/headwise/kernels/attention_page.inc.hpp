// Entries of keys and values on their way into pages and out of them; included once for each target.

// out (cols, 64) from column `slot` on = the transposed of x (rows, cols): squares of kLanes by zipping halves log2(kLanes) times.
template <class Element>
HEADWISE_HOT void transpose_into(const float* x, index_t x_stride, index_t rows, index_t cols, Element* out) {
  index_t i = 0;
  for (; i + kLanes <= rows; i += kLanes) {
    for (index_t j = 0; j < cols; j += kLanes) {
      const int n = static_cast<int>(cols - j < kLanes ? cols - j : kLanes);
      Vf a[kLanes], b[kLanes];
      HEADWISE_UNROLL
      for (int r = 0; r < kLanes; ++r) a[r] = load(x + (i + r) * x_stride + j, n);
      HEADWISE_UNROLL
      for (int round = 1; round < kLanes; round *= 2) {
        HEADWISE_UNROLL
        for (int r = 0; r < kLanes / 2; ++r) zip(a[r], a[r + kLanes / 2], b[2 * r], b[2 * r + 1]);
        HEADWISE_UNROLL
        for (int r = 0; r < kLanes; ++r) a[r] = b[r];
      }
      for (int r = 0; r < n; ++r) store(out + (j + r) * kKeyBlock + i, a[r]);
    }
  }
  for (; i < rows; ++i)
    for (index_t j = 0; j < cols; j += kLanes) {
      const int n = static_cast<int>(cols - j < kLanes ? cols - j : kLanes);
      Element narrow[kLanes];
      store(narrow, load(x + i * x_stride + j, n));
      for (int r = 0; r < n; ++r) out[(j + r) * kKeyBlock + i] = narrow[r];
    }
}

template <class Element>
HEADWISE_KERNEL void append_plain(const KvLayout& layout, std::byte* page, index_t slot, index_t n, const float* k, index_t k_stride,
                                  const float* v, index_t v_stride) {
  for (index_t h = 0; h < layout.heads; ++h) {
    transpose_into(k + h * layout.key_dim, k_stride, n, layout.key_dim, reinterpret_cast<Element*>(page + layout.key_offset(h)) + slot);
    Element* values = reinterpret_cast<Element*>(page + layout.value_offset(h)) + slot * layout.value_stride();
    for (index_t i = 0; i < n; ++i)
      for (index_t j = 0; j < layout.value_dim; j += kLanes) {
        const int here = static_cast<int>(layout.value_dim - j < kLanes ? layout.value_dim - j : kLanes);
        store(values + i * layout.value_stride() + j, load(v + i * v_stride + h * layout.value_dim + j, here), here);
      }
  }
}

// to[j * step] = round(x / scale); gives scale = max |x| / 127. A NaN or an infinity makes the scale a NaN, and with it the entry.
HEADWISE_KERNEL float quantise_entry(const float* x, index_t n, std::int8_t* to, index_t step) {
  Vf largest = zero(), poison = zero();
  for (index_t j = 0; j < n; j += kLanes) {
    const Vf a = load(x + j, static_cast<int>(n - j < kLanes ? n - j : kLanes));
    largest = max(largest, abs(a));
    poison = fma(a, zero(), poison);
  }
  const float most = max_lane(largest);
  if (any(is_nan(poison))) return std::numeric_limits<float>::quiet_NaN();
  const Vf inverse = splat(most < 0x1p-100f ? 0.0f : 127.0f / most);
  for (index_t j = 0; j < n; j += kLanes) {
    const int here = static_cast<int>(n - j < kLanes ? n - j : kLanes);
    std::int8_t narrow[kLanes];
    store_narrow(narrow, to_int(mul(load(x + j, here), inverse)));
    for (int i = 0; i < here; ++i) to[(j + i) * step] = narrow[i];
  }
  return most / 127.0f;
}

HEADWISE_KERNEL void append_quantised(const KvLayout& layout, std::byte* page, index_t slot, index_t n, const float* k, index_t k_stride,
                                      const float* v, index_t v_stride) {
  for (index_t h = 0; h < layout.heads; ++h) {
    std::byte *keys = page + layout.key_offset(h), *values = page + layout.value_offset(h);
    auto *key_scales = reinterpret_cast<float*>(keys) + slot, *value_scales = reinterpret_cast<float*>(values) + slot;
    auto* key_numbers = reinterpret_cast<std::int8_t*>(keys + layout.scales_bytes()) + slot;
    auto* value_numbers = reinterpret_cast<std::int8_t*>(values + layout.scales_bytes()) + slot * layout.value_stride();
    for (index_t i = 0; i < n; ++i) {
      key_scales[i] = quantise_entry(k + i * k_stride + h * layout.key_dim, layout.key_dim, key_numbers + i, kKeyBlock);
      value_scales[i] =
          quantise_entry(v + i * v_stride + h * layout.value_dim, layout.value_dim, value_numbers + i * layout.value_stride(), 1);
    }
  }
}

HEADWISE_KERNEL void append(const KvLayout& layout, std::byte* page, index_t slot, index_t n, const float* k, index_t k_stride,
                            const float* v, index_t v_stride) {
  switch (layout.type) {
    case DType::f16: return append_plain<f16>(layout, page, slot, n, k, k_stride, v, v_stride);
    case DType::bf16: return append_plain<bf16>(layout, page, slot, n, k, k_stride, v, v_stride);
    case DType::q8_0: return append_quantised(layout, page, slot, n, k, k_stride, v, v_stride);
    default: return append_plain<float>(layout, page, slot, n, k, k_stride, v, v_stride);
  }
}

// The keys (key_dim, 64) and values (64, value_stride) of a block as floats; meanwhile those of the next page, `ahead` bytes further, are
// fetched.
template <class Element>
HEADWISE_HOT void widen_plain(const std::byte* from, index_t rows, index_t ahead, float* to) {
  constexpr index_t kLine = 64 / static_cast<index_t>(sizeof(Element));
  const auto* x = reinterpret_cast<const Element*>(from);
  for (index_t i = 0; i < rows * kKeyBlock; i += kLine) {
    if (ahead != 0) prefetch_l2(reinterpret_cast<const std::byte*>(x + i) + ahead);
    HEADWISE_UNROLL
    for (index_t j = 0; j < kLine; j += kLanes) store(to + i + j, load(x + i + j));
  }
}

HEADWISE_HOT void widen_quantised(const KvLayout& layout, const std::byte* keys, const std::byte* values, index_t ahead, float* to) {
  const auto *key_scales = reinterpret_cast<const float*>(keys), *value_scales = reinterpret_cast<const float*>(values);
  const auto *k = reinterpret_cast<const std::int8_t*>(keys + layout.scales_bytes()),
             *v = reinterpret_cast<const std::int8_t*>(values + layout.scales_bytes());
  Vf scale[kKeyBlock / kLanes];
  HEADWISE_UNROLL
  for (int j = 0; j < kKeyBlock / kLanes; ++j) scale[j] = load(key_scales + j * kLanes);
  for (index_t d = 0; d < layout.key_dim; ++d, k += kKeyBlock, to += kKeyBlock) {
    if (ahead != 0) prefetch_l2(reinterpret_cast<const std::byte*>(k) + ahead);
    HEADWISE_UNROLL
    for (int j = 0; j < kKeyBlock / kLanes; ++j) store(to + j * kLanes, mul(load(k + j * kLanes), scale[j]));
  }
  for (index_t e = 0; e < kKeyBlock; ++e) {
    const Vf one = splat(value_scales[e]);
    for (index_t j = 0; j < layout.value_stride(); j += kLanes, v += kLanes, to += kLanes) {
      if (ahead != 0 && j % 64 == 0) prefetch_l2(reinterpret_cast<const std::byte*>(v) + ahead);
      store(to, mul(load(v), one));
    }
  }
}

HEADWISE_KERNEL void widen_page(const KvLayout& layout, const std::byte* page, index_t head, const std::byte* next, float* to) {
  const std::byte *keys = page + layout.key_offset(head), *values = page + layout.value_offset(head);
  const index_t ahead = next != nullptr ? next - page : 0, stride = layout.value_stride(), count = layout.key_dim * kKeyBlock;
  if (layout.type == DType::f16) {
    widen_plain<f16>(keys, layout.key_dim, ahead, to);
    widen_plain<f16>(values, stride, ahead, to + count);
  } else if (layout.type == DType::bf16) {
    widen_plain<bf16>(keys, layout.key_dim, ahead, to);
    widen_plain<bf16>(values, stride, ahead, to + count);
  } else {
    widen_quantised(layout, keys, values, ahead, to);
  }
}
