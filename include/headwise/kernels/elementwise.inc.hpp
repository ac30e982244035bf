// Bodies of the elementwise kernels; included once for each target (targets/region.hpp).

HEADWISE_HOT int tail_of(index_t d) { return static_cast<int>(d % kLanes); }

// ---- sums and maxima of a row: four chains of vectors, then a tree; the tail is the last link of the first chain ----

struct SumOf {
  HEADWISE_HOT Vf operator()(Vf acc, Vf x) const { return add(acc, x); }
};
struct SumOfSquares {
  HEADWISE_HOT Vf operator()(Vf acc, Vf x) const { return fma(x, x, acc); }
};

template <class Step>
HEADWISE_HOT float reduce(const float* x, index_t d, Step step) {
  Vf acc[4] = {zero(), zero(), zero(), zero()};
  index_t j = 0;
  for (; j + 4 * kLanes <= d; j += 4 * kLanes) {
    HEADWISE_UNROLL
    for (int c = 0; c < 4; ++c) acc[c] = step(acc[c], load(x + j + c * kLanes));
  }
  for (; j + kLanes <= d; j += kLanes) acc[0] = step(acc[0], load(x + j));
  if (const int rest = tail_of(d); rest > 0) acc[0] = step(acc[0], load(x + j, rest));
  return sum(add(add(acc[0], acc[1]), add(acc[2], acc[3])));
}

// NaNs are passed over.
HEADWISE_HOT float max_of(const float* x, index_t d) {
  const Vf lowest = splat(-std::numeric_limits<float>::infinity());
  Vf acc = lowest;
  index_t j = 0;
  for (; j + kLanes <= d; j += kLanes) acc = max(load(x + j), acc);
  if (const int rest = tail_of(d); rest > 0) acc = max(select(mask_of((1u << rest) - 1u), load(x + j, rest), lowest), acc);
  return max_lane(acc);
}

// y = a x of one row.
HEADWISE_HOT void scale_row(const float* x, Vf a, index_t d, float* y) {
  index_t j = 0;
  for (; j + kLanes <= d; j += kLanes) store(y + j, mul(load(x + j), a));
  if (const int rest = tail_of(d); rest > 0) store(y + j, mul(load(x + j, rest), a), rest);
}

// ---- norms ----

HEADWISE_KERNEL void rms_norm(const float* x, index_t x_stride, index_t t, index_t d, const float* weight, float eps, float* y,
                              index_t y_stride) {
  for (; t > 0; --t, x += x_stride, y += y_stride) {
    const float mean = reduce(x, d, SumOfSquares{}) / static_cast<float>(d);
    const Vf a = splat(1.0f / __builtin_sqrtf(mean + eps));
    if (weight == nullptr) {
      scale_row(x, a, d, y);
      continue;
    }
    index_t j = 0;
    for (; j + kLanes <= d; j += kLanes) store(y + j, mul(mul(load(x + j), a), load(weight + j)));
    if (const int rest = tail_of(d); rest > 0) store(y + j, mul(mul(load(x + j, rest), a), load(weight + j, rest)), rest);
  }
}

HEADWISE_KERNEL void layer_norm(const float* x, index_t x_stride, index_t t, index_t d, const float* weight, const float* bias, float eps,
                                float* y, index_t y_stride) {
  const Vf one = splat(1.0f);
  for (; t > 0; --t, x += x_stride, y += y_stride) {
    const float mean = reduce(x, d, SumOf{}) / static_cast<float>(d);
    const Vf m = splat(mean);
    Vf acc[2] = {zero(), zero()};
    index_t j = 0;
    for (; j + 2 * kLanes <= d; j += 2 * kLanes) {
      const Vf a = sub(load(x + j), m), b = sub(load(x + j + kLanes), m);
      acc[0] = fma(a, a, acc[0]);
      acc[1] = fma(b, b, acc[1]);
    }
    for (; j < d; j += kLanes) {
      const int n = static_cast<int>(d - j < kLanes ? d - j : kLanes);
      const Vf a = select(mask_of((1u << n) - 1u), sub(load(x + j, n), m), zero());
      acc[0] = fma(a, a, acc[0]);
    }
    const float variance = sum(add(acc[0], acc[1])) / static_cast<float>(d);
    const Vf a = splat(1.0f / __builtin_sqrtf(variance + eps));
    for (j = 0; j < d; j += kLanes) {
      const int n = static_cast<int>(d - j < kLanes ? d - j : kLanes);
      const Vf w = weight != nullptr ? load(weight + j, n) : one, b = bias != nullptr ? load(bias + j, n) : zero();
      store(y + j, fma(mul(sub(load(x + j, n), m), a), w, b), n);
    }
  }
}

HEADWISE_KERNEL void l2_normalise(const float* x, index_t x_stride, index_t t, index_t d, float eps, float* y, index_t y_stride) {
  for (; t > 0; --t, x += x_stride, y += y_stride) {
    const float length = __builtin_sqrtf(reduce(x, d, SumOfSquares{}));
    scale_row(x, splat(1.0f / (length < eps ? eps : length)), d, y);
  }
}

// ---- softmax ----

struct Keep {
  float* y;
  HEADWISE_HOT void operator()(index_t j, Vf x) const { store(y + j, x); }
  HEADWISE_HOT void operator()(index_t j, Vf x, int n) const { store(y + j, x, n); }
};
struct Drop {
  HEADWISE_HOT void operator()(index_t, Vf) const {}
  HEADWISE_HOT void operator()(index_t, Vf, int) const {}
};

// The sum of e^(x - m) of one row; each term goes to `out`.
template <class Out>
HEADWISE_HOT float sum_exp(const float* x, index_t d, float m, Out out) {
  const Vf most = splat(m);
  Vf acc[2] = {zero(), zero()};
  index_t j = 0;
  for (; j + 2 * kLanes <= d; j += 2 * kLanes) {
    HEADWISE_UNROLL
    for (int c = 0; c < 2; ++c) {
      const Vf e = exp(sub(load(x + j + c * kLanes), most));
      out(j + c * kLanes, e);
      acc[c] = add(acc[c], e);
    }
  }
  for (; j < d; j += kLanes) {
    const int n = static_cast<int>(d - j < kLanes ? d - j : kLanes);
    const Vf e = select(mask_of((1u << n) - 1u), exp(sub(load(x + j, n), most)), zero());
    out(j, e, n);
    acc[0] = add(acc[0], e);
  }
  return sum(add(acc[0], acc[1]));
}

HEADWISE_KERNEL void softmax(const float* x, index_t x_stride, index_t t, index_t d, float* y, index_t y_stride) {
  for (; t > 0; --t, x += x_stride, y += y_stride) scale_row(y, splat(1.0f / sum_exp(x, d, max_of(x, d), Keep{y})), d, y);
}

HEADWISE_KERNEL void log_sum_exp(const float* x, index_t x_stride, index_t t, index_t d, float* y) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (; t > 0; --t, x += x_stride, ++y) {
    const float m = max_of(x, d);
    const float finite = m == kInfinity || m == -kInfinity ? 0.0f : m;  // an infinity minus itself would be a NaN
    *y = finite + __builtin_logf(sum_exp(x, d, finite, Drop{}));
  }
}

// ---- activations ----

// Long formulas stand once in the code: whole vectors and the tail of a row take the same path.
HEADWISE_HOT Vf load_part(const float* p, int n) { return n == kLanes ? load(p) : load(p, n); }
HEADWISE_HOT void store_part(float* p, Vf a, int n) { return n == kLanes ? store(p, a) : store(p, a, n); }

// y = A(x), times u where there is one.
template <Activation A>
HEADWISE_KERNEL void activate_rows(const float* x, index_t x_stride, const float* u, index_t u_stride, index_t t, index_t d, float* y,
                                   index_t y_stride) {
  for (; t > 0; --t, x += x_stride, u += u_stride, y += y_stride) {
    for (index_t j = 0; j < d; j += kLanes) {
      const int n = static_cast<int>(d - j < kLanes ? d - j : kLanes);
      Vf a = apply<A>(load_part(x + j, n));
      if (u != nullptr) a = mul(a, load_part(u + j, n));
      store_part(y + j, a, n);
    }
  }
}

template <std::size_t... A>
constexpr auto activate_table(std::index_sequence<A...>) {
  return std::array{&activate_rows<static_cast<Activation>(A)>...};
}
inline constexpr auto kActivate = activate_table(std::make_index_sequence<kActivationCount>{});

HEADWISE_KERNEL void activate(Activation act, const float* x, index_t x_stride, index_t t, index_t d, float* y, index_t y_stride) {
  kActivate[static_cast<std::size_t>(act)](x, x_stride, nullptr, 0, t, d, y, y_stride);
}
HEADWISE_KERNEL void gate(Activation act, const float* g, index_t g_stride, const float* u, index_t u_stride, index_t t, index_t d,
                          float* y, index_t y_stride) {
  kActivate[static_cast<std::size_t>(act)](g, g_stride, u, u_stride, t, d, y, y_stride);
}

// ---- sums and scales ----

HEADWISE_KERNEL void add_rows(const float* a, const float* b, float* y, index_t n) {
  index_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, add(load(a + i), load(b + i)));
  if (const int rest = tail_of(n); rest > 0) store(y + i, add(load(a + i, rest), load(b + i, rest)), rest);
}

HEADWISE_KERNEL void add_scaled(const float* x, index_t x_stride, float a, const float* z, index_t z_stride, float b, index_t t, index_t d,
                                float* y, index_t y_stride) {
  const Vf va = splat(a), vb = splat(b);
  for (; t > 0; --t, x += x_stride, z += z_stride, y += y_stride) {
    index_t j = 0;
    for (; j + kLanes <= d; j += kLanes) store(y + j, fma(va, load(x + j), mul(vb, load(z + j))));
    if (const int rest = tail_of(d); rest > 0) store(y + j, fma(va, load(x + j, rest), mul(vb, load(z + j, rest))), rest);
  }
}

HEADWISE_KERNEL void scale_rows(const float* x, index_t x_stride, float a, index_t t, index_t d, float* y, index_t y_stride) {
  for (; t > 0; --t, x += x_stride, y += y_stride) scale_row(x, splat(a), d, y);
}

HEADWISE_KERNEL void soft_cap(const float* x, index_t x_stride, float c, index_t t, index_t d, float* y, index_t y_stride) {
  const Vf cap = splat(c), inverse = splat(1.0f / c);
  for (; t > 0; --t, x += x_stride, y += y_stride) {
    for (index_t j = 0; j < d; j += kLanes) {
      const int n = static_cast<int>(d - j < kLanes ? d - j : kLanes);
      store_part(y + j, mul(cap, tanh(mul(load_part(x + j, n), inverse))), n);
    }
  }
}

HEADWISE_KERNEL void mean_rows(const float* x, index_t x_stride, index_t t, index_t d, float* y) {
  const Vf count = splat(t > 0 ? static_cast<float>(t) : 1.0f);
  for (index_t j = 0; j < d; j += kLanes) {
    const int n = static_cast<int>(d - j < kLanes ? d - j : kLanes);
    Vf acc = zero();
    for (index_t i = 0; i < t; ++i) acc = add(acc, load(x + i * x_stride + j, n));
    store(y + j, div(acc, count), n);
  }
}

// ---- rotary positions ----

HEADWISE_HOT void rotate(Vf& p, Vf& q, Vf c, Vf s) {
  const Vf x = p;
  p = fnma(q, s, mul(x, c));
  q = fma(x, s, mul(q, c));
}

HEADWISE_KERNEL void rope(float* x, index_t x_stride, index_t t, index_t heads, index_t head_stride, const float* cos, const float* sin,
                          index_t angle_stride, index_t n, RopePairs pairs) {
  for (; t > 0; --t, x += x_stride, cos += angle_stride, sin += angle_stride) {
    for (index_t h = 0; h < heads; ++h) {
      float* head = x + h * head_stride;
      for (index_t j = 0; j < n; j += kLanes) {
        const int count = static_cast<int>(n - j < kLanes ? n - j : kLanes);
        const Vf c = load(cos + j, count), s = load(sin + j, count);
        if (pairs == RopePairs::halves) {
          Vf p = load(head + j, count), q = load(head + n + j, count);
          rotate(p, q, c, s);
          store(head + j, p, count);
          store(head + n + j, q, count);
        } else {
          float* pair = head + 2 * j;
          const int low = 2 * count < kLanes ? 2 * count : kLanes, high = 2 * count - low;
          Vf a = load(pair, low), b = load(pair + low, high), p, q;
          unzip(a, b, p, q);
          rotate(p, q, c, s);
          zip(p, q, a, b);
          store(pair, a, low);
          store(pair + low, b, high);
        }
      }
    }
  }
}

inline constexpr ElementwiseKernels kElementwise{
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .l2_normalise = l2_normalise,
    .softmax = softmax,
    .log_sum_exp = log_sum_exp,
    .activate = activate,
    .gate = gate,
    .add = add_rows,
    .add_scaled = add_scaled,
    .scale = scale_rows,
    .soft_cap = soft_cap,
    .mean_rows = mean_rows,
    .rope = rope,
};
