// exp, expm1, tanh, sigmoid and the activations on vectors; included once for each target (targets/region.hpp).
//
// Largest errors, in ulp of the exact result (every float of 2^-14 <= |x| <= 128 was tried with AVX-512, every 7th with the scalar
// target; elementwise_math_test.cpp holds them over floats of every magnitude): exp 1.01, elu 1, sigmoid 2.5, tanh and softplus 3,
// silu 3.5, mish 5, gelu_quick 9, gelu 10, gelu_tanh 22. The three gelus where x >= -4; below, where they fade out, the relative error
// reaches 2e-5. The coefficients are our own minimax fits.

// e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2. Adding 1.5 2^23 rounds to an integer.
struct Reduced {
  Vf n, r;
};
HEADWISE_HOT Reduced reduce_exponent(Vf x) {
  const Vf magic = splat(12582912.0f);
  const Vf n = sub(fma(x, splat(1.44269504f), magic), magic);
  return {n, fnma(n, splat(-2.12194440e-4f), fnma(n, splat(0.693359375f), x))};  // ln 2 in two parts; n times the first is exact
}

// e^r - 1 for |r| <= ln 2 / 2, relative error 3e-9 before rounding.
HEADWISE_HOT Vf small_expm1(Vf r) {
  Vf p = fma(splat(1.381453824e-3f), r, splat(8.368745446e-3f));
  p = fma(p, r, splat(4.166838899e-2f));
  p = fma(p, r, splat(1.666652113e-1f));
  p = fma(p, r, splat(4.999999404e-1f));
  return fma(mul(r, r), p, r);
}

// Exactly 0 below -103.98, exactly 1 at 0, infinity above 88.73.
HEADWISE_HOT Vf exp(Vf x) {
  const Reduced z = reduce_exponent(min(splat(89.0f), max(splat(-104.0f), x)));  // in this order, min and max let a NaN pass
  return scale(add(small_expm1(z.r), splat(1.0f)), z.n);
}

// e^x - 1 for x <= 0.
HEADWISE_HOT Vf expm1_negative(Vf x) {
  const Reduced z = reduce_exponent(max(splat(-104.0f), x));
  const Vf power = scale(splat(1.0f), z.n);
  return fma(small_expm1(z.r), power, sub(power, splat(1.0f)));
}

// |tanh x| = -m / (m + 2) with m = e^(-2|x|) - 1: no cancellation, no overflow.
HEADWISE_HOT Vf tanh(Vf x) {
  const Vf m = expm1_negative(mul(splat(-2.0f), abs(x)));
  return copy_sign(div(m, add(m, splat(2.0f))), x);
}

HEADWISE_HOT Vf sigmoid(Vf x) {
  const Vf e = exp(sub(zero(), abs(x)));
  return div(select(less(x, zero()), e, splat(1.0f)), add(splat(1.0f), e));
}

// x sigmoid(u), where u has the sign of x.
HEADWISE_HOT Vf times_sigmoid(Vf x, Vf u) {
  const Vf e = exp(sub(zero(), abs(u)));
  return div(select(less(u, zero()), mul(x, e), x), add(splat(1.0f), e));
}

// x Phi(x). With a = |x|: Phi(-a) = e^(-a^2/2) g(1 / (1 + a/5)), g a polynomial without constant term. The square is split, because
// an error of a^2/2 in the exponent becomes a relative one.
HEADWISE_HOT Vf gelu(Vf x) {
  const Vf a = min(splat(20.0f), abs(x));
  const Vf square = mul(a, a), rest = fma(a, a, sub(zero(), square));
  const Vf u = div(splat(1.0f), fma(a, splat(0.2f), splat(1.0f)));
  Vf g = fma(splat(-0.04032042622566223f), u, splat(0.13023225963115692f));
  g = fma(g, u, splat(-0.08173041045665741f));
  g = fma(g, u, splat(0.06506571918725967f));
  g = fma(g, u, splat(0.08207782357931137f));
  g = fma(g, u, splat(0.02539924904704094f));
  g = fma(g, u, splat(0.08679760247468948f));
  g = fma(g, u, splat(0.07235245406627655f));
  g = fma(g, u, splat(0.08037082105875015f));
  g = fma(g, u, splat(0.07975489646196365f));
  const Vf e = exp(mul(square, splat(-0.5f)));
  const Vf tail = mul(mul(g, u), fnma(e, mul(rest, splat(0.5f)), e));
  return mul(x, select(less(x, zero()), tail, sub(splat(1.0f), tail)));
}

// log(1 + z), 0 <= z <= 1: twice the artanh of z / (2 + z).
HEADWISE_HOT Vf log1p_unit(Vf z) {
  const Vf s = div(z, add(z, splat(2.0f))), q = mul(s, s);
  Vf p = fma(splat(0.2819856703281403f), q, splat(0.27956295013427734f));
  p = fma(p, q, splat(0.40025195479393005f));
  p = fma(p, q, splat(0.6666631102561951f));
  return fma(mul(p, q), s, add(s, s));
}

// With e = e^-|x|, tanh(log(1 + e^x)) = m / (m + 2 e^2) for x > 0, m = 1 + 2e; else m / (m + 2), m = e (e + 2).
HEADWISE_HOT Vf mish(Vf x) {
  const Vf e = exp(sub(zero(), abs(x))), two = splat(2.0f);
  const Vm negative = less(x, zero());
  const Vf m = select(negative, mul(e, add(e, two)), fma(e, two, splat(1.0f)));
  return div(mul(x, m), add(m, select(negative, two, mul(two, mul(e, e)))));
}

template <Activation A>
HEADWISE_HOT Vf apply(Vf x) {
  if constexpr (A == Activation::relu) return max(zero(), x);
  if constexpr (A == Activation::relu2) return mul(max(zero(), x), max(zero(), x));
  if constexpr (A == Activation::gelu) return gelu(x);
  if constexpr (A == Activation::gelu_tanh) {  // 2 sqrt(2/pi), and that times 0.044715
    return times_sigmoid(x, mul(x, fma(mul(x, x), splat(0.0713548163f), splat(1.59576912f))));
  }
  if constexpr (A == Activation::gelu_quick) return times_sigmoid(x, mul(x, splat(1.702f)));
  if constexpr (A == Activation::silu) return times_sigmoid(x, x);
  if constexpr (A == Activation::sigmoid) return sigmoid(x);
  if constexpr (A == Activation::tanh) return tanh(x);
  if constexpr (A == Activation::softplus) return add(max(zero(), x), log1p_unit(exp(sub(zero(), abs(x)))));
  if constexpr (A == Activation::mish) return mish(x);
  if constexpr (A == Activation::elu) return select(less(zero(), x), x, expm1_negative(min(zero(), x)));
  return x;
}
