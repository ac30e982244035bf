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

// Fetches the bytes of one head into L1, 12 KiB before they are read, in the order in which they are read: the rest of this page's, then
// the next page's. Further ahead, or into L2, each line would take a miss buffer twice, and those bound what one core reads (measured on
// a Zen 5: 1.3 times as many bytes a second as fetching a whole page ahead into L2).
struct Stream {
  static constexpr index_t kAhead = 12 << 10;
  const std::byte* page = nullptr;
  const std::byte* next = nullptr;  // of this page again, if there is none
  index_t size = 0;

  // What to fetch while the bytes from `position` on are read.
  HEADWISE_HOT const std::byte* ahead(index_t position) const {
    const index_t at = position + (kAhead < size ? kAhead : size);
    return at < size ? page + at : next + (at - size);
  }
};

HEADWISE_HOT Stream stream_of(const KvLayout& layout, const std::byte* page, const std::byte* next, index_t head) {
  const index_t from = layout.key_offset(head), size = layout.keys_bytes() + layout.values_bytes();
  return {page + from, (next != nullptr ? next : page) + from, size};
}

template <class Element>
HEADWISE_HOT void widen_plain(const Stream& stream, index_t position, index_t n, float* to) {
  constexpr index_t kLine = 64 / static_cast<index_t>(sizeof(Element));
  const auto* x = reinterpret_cast<const Element*>(stream.page + position);
  const std::byte* fetch = stream.ahead(position);
  for (index_t i = 0; i < n; i += kLine, fetch += 64) {
    prefetch(fetch);
    HEADWISE_UNROLL
    for (index_t j = 0; j < kLine; j += kLanes) store(to + i + j, load(x + i + j));
  }
}

// Rows [begin, begin + n) of a block's keys (key_dim, 64) as floats.
HEADWISE_KERNEL void widen_keys(const KvLayout& layout, const Stream& stream, index_t begin, index_t n, float* to) {
  const index_t first = begin * kKeyBlock, position = layout.scales_bytes() + first * layout.element_bytes();
  if (layout.type == DType::f16) return widen_plain<f16>(stream, position, n * kKeyBlock, to);
  if (layout.type == DType::bf16) return widen_plain<bf16>(stream, position, n * kKeyBlock, to);
  const auto* scales = reinterpret_cast<const float*>(stream.page);
  const auto* x = reinterpret_cast<const std::int8_t*>(stream.page + position);
  const std::byte* fetch = stream.ahead(position);
  Vf scale[kKeyBlock / kLanes];
  HEADWISE_UNROLL
  for (int j = 0; j < kKeyBlock / kLanes; ++j) scale[j] = load(scales + j * kLanes);
  for (index_t d = 0; d < n; ++d, x += kKeyBlock, to += kKeyBlock, fetch += kKeyBlock) {
    prefetch(fetch);
    HEADWISE_UNROLL
    for (int j = 0; j < kKeyBlock / kLanes; ++j) store(to + j * kLanes, mul(load(x + j * kLanes), scale[j]));
  }
}

// Rows [begin, begin + n) of its values (64, value_stride).
HEADWISE_KERNEL void widen_values(const KvLayout& layout, const Stream& stream, index_t begin, index_t n, float* to) {
  const index_t stride = layout.value_stride();
  const index_t position = layout.keys_bytes() + layout.scales_bytes() + begin * stride * layout.element_bytes();
  if (layout.type == DType::f16) return widen_plain<f16>(stream, position, n * stride, to);
  if (layout.type == DType::bf16) return widen_plain<bf16>(stream, position, n * stride, to);
  const auto* scales = reinterpret_cast<const float*>(stream.page + layout.keys_bytes()) + begin;
  const auto* x = reinterpret_cast<const std::int8_t*>(stream.page + position);
  const std::byte* fetch = stream.ahead(position);
  for (index_t e = 0; e < n; ++e, fetch += stride) {
    const Vf scale = splat(scales[e]);
    for (index_t j = 0; j < stride; j += kLanes, x += kLanes, to += kLanes) {
      if (j % 64 == 0) prefetch(fetch + j);
      store(to, mul(load(x), scale));
    }
  }
}
