// monarch: Monarch matrices by themselves: products, the DFT and the convolution as such matrices,
// projection onto them, the causal form. Uses core alone; docs/monarch.md explains it.
//
// A Monarch matrix is a product of sparse factors. A factor reads a vector of outer·in·inner
// numbers as an array (outer, in, inner) and multiplies each of its outer·inner fibres of `in`
// numbers by a small dense block of its own:
//
//   y[a, s, c] = Σ_r block(a, c)[s][r] · x[a, r, c]
//
// inner = 1 is a block-diagonal matrix; any inner is one between two reshape-transpose permutations
// (permutation.h), P·BlockDiagonal·P, without moving a number.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace m2 {

struct FactorShape {
  size_t outer = 1, in = 1, out = 1, inner = 1;

  size_t blocks() const { return outer * inner; }
  size_t columns() const { return outer * in * inner; }  // numbers that it reads
  size_t rows() const { return outer * out * inner; }    // numbers that it writes
  size_t weights() const { return blocks() * out * in; }
  bool operator==(const FactorShape&) const = default;
};

// All lists of shapes below are in the order in which the factors act on a vector.

// The square Monarch matrix of order p = radices.size() on N = Π radices points: an index is
// (i_1, …, i_p), the last running fastest, and a factor acts along each axis, the last axis first.
// N·Σ radices weights; with equal radices p·N^((p+1)/p). Order 2 with radices (b, b) is P L P R.
std::vector<FactorShape> monarch_shapes(std::span<const size_t> radices);

// The rectangular form of order 2, from k·p numbers to s·l:
//   middle[k, q] = Σ_p w1[k, q, p]·x[k, p];  out[s, l] = Σ_r w2[l, s, r]·middle[r, l]
// where `middle` is read first as (k, q), then as (r, l). Error(kUsage) where k·q is not r·l.
struct RectangularSizes {
  size_t k = 1, q = 1, p = 1;
  size_t l = 1, s = 1, r = 1;
};
std::vector<FactorShape> rectangular_shapes(const RectangularSizes& sizes);

// Relatives. Butterfly: order log2(points) with blocks of 2×2; Error(kUsage) where points is no
// power of two. Low rank: two dense factors, columns -> rank -> rows.
std::vector<FactorShape> butterfly_shapes(size_t points);
std::vector<FactorShape> low_rank_shapes(size_t rows, size_t rank, size_t columns);

// `order` numbers, largest first, whose product is `points` and whose sum is least: the cheapest
// Monarch matrix of that order. Ones where points has too few divisors. Both are at least 1.
std::vector<size_t> balanced_radices(size_t points, size_t order);

}  // namespace m2
