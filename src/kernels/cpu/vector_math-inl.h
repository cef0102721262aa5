// Elementary functions on vectors of floats, each to the error that
// tests/kernels/vector_math_test.cpp holds it to; beyond a stated range a result means nothing.
// Included once for each target.
#if defined(M2_KERNELS_CPU_VECTOR_MATH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef M2_KERNELS_CPU_VECTOR_MATH_INL_H
#undef M2_KERNELS_CPU_VECTOR_MATH_INL_H
#else
#define M2_KERNELS_CPU_VECTOR_MATH_INL_H
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Σ coefficients[i]·xⁱ by Horner's rule.
template <class D, size_t kTerms>
HWY_INLINE hn::Vec<D> Polynomial(D d, hn::Vec<D> x, const float (&coefficients)[kTerms]) {
  hn::Vec<D> sum = hn::Set(d, coefficients[kTerms - 1]);
  for (size_t i = kTerms - 1; i > 0; --i) {
    sum = hn::MulAdd(sum, x, hn::Set(d, coefficients[i - 1]));
  }
  return sum;
}

// 2^x for −126 <= x <= 127 to 2e-7 relative: the integer part goes into the exponent bits, the
// rest, at most a half, into a minimax polynomial (relative error 2e-9).
template <class D>
HWY_INLINE hn::Vec<D> Exp2(D d, hn::Vec<D> x) {
  static constexpr float kCoefficients[] = {1.0f,
                                            0.6931471824645996f,
                                            0.24022646248340607f,
                                            0.05550328642129898f,
                                            0.009618489071726799f,
                                            0.0013399930903688073f,
                                            0.00015345810970757157f};
  const hn::RebindToSigned<D> di;
  const auto whole = hn::NearestInt(x);
  const auto fraction = hn::Sub(x, hn::ConvertTo(d, whole));
  const auto scale = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(whole, hn::Set(di, 127))));
  return hn::Mul(Polynomial(d, fraction, kCoefficients), scale);
}

// e^x to 2e-7 relative for −87 <= x <= 88, as at these ends beyond them: x − n·ln 2, at most half
// of ln 2, goes into Exp2's polynomial in other units. n·kLn2High is exact.
template <class D>
HWY_INLINE hn::Vec<D> Exponential(D d, hn::Vec<D> x) {
  static constexpr float kCoefficients[] = {1.0f,
                                            1.0f,
                                            0.49999991059303284f,
                                            0.16666419804096222f,
                                            0.04166822507977486f,
                                            0.008374815806746483f,
                                            0.001383684459142387f};
  constexpr float kLog2E = 1.44269504088896341f;
  constexpr float kLn2High = 0.693145751953125f, kLn2Low = 1.428606820309417e-6f;
  const hn::RebindToSigned<D> di;
  const auto bounded = hn::Min(hn::Max(x, hn::Set(d, -87.0f)), hn::Set(d, 88.0f));
  const auto whole = hn::NearestInt(hn::Mul(bounded, hn::Set(d, kLog2E)));
  const auto n = hn::ConvertTo(d, whole);
  const auto rest =
      hn::NegMulAdd(n, hn::Set(d, kLn2Low), hn::NegMulAdd(n, hn::Set(d, kLn2High), bounded));
  const auto scale = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(whole, hn::Set(di, 127))));
  return hn::Mul(Polynomial(d, rest, kCoefficients), scale);
}

// sin x to 2e-7 absolute for |x| <= 10,000.
template <class D>
HWY_INLINE hn::Vec<D> Sine(D d, hn::Vec<D> x) {
  return hn::Sin(d, x);
}

// tanh x to 5e-7 relative for normal numbers; ±1 from 10 to infinity.
template <class D>
HWY_INLINE hn::Vec<D> HyperbolicTangent(D d, hn::Vec<D> x) {
  return hn::Tanh(d, x);
}

// The normal distribution function Φ(x) = (1 + erf(x/√2))/2 to 1e-7 absolute; Φ(∞) = 1, Φ(−∞) =
// 2^−126. Below zero it is 2^P(−x) with P the minimax polynomial of log2 Φ, weighted so that x·Φ(x)
// is what is best; above zero, by symmetry, 1 − Φ(−x).
template <class D>
HWY_INLINE hn::Vec<D> NormalDistribution(D d, hn::Vec<D> x) {
  static constexpr float kLog2Tail[] = {-1.0f,
                                        -1.1511046886444092f,
                                        -0.459216833114624f,
                                        -0.052451927214860916f,
                                        0.0069610048085f,
                                        -1.1536462807271164e-05f,
                                        -0.0002728707913774997f,
                                        7.356590504059568e-05f,
                                        -1.0188003216e-05f,
                                        7.474237690985319e-07f,
                                        -2.265940324264193e-08f};
  const auto exponent = hn::Max(Polynomial(d, hn::Abs(x), kLog2Tail), hn::Set(d, -126.0f));
  const auto tail = Exp2(d, exponent);
  return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(hn::Set(d, 1.0f), tail));
}

// x·Φ(x), the exact (erf) form of GELU, to 1e-7·|x| absolute.
template <class D>
HWY_INLINE hn::Vec<D> Gelu(D d, hn::Vec<D> x) {
  return hn::Mul(x, NormalDistribution(d, x));
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#endif
