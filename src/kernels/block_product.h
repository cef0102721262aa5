// One block of a Monarch matrix times its fibres, y[s][c] = Σ_r weight[s][r]·x[r][c], for as many
// vectors c as there are columns; the plain form is monarch/product.h's multiply_block, and
// multiply() takes this one in its place.
//
// A sum runs in the order of r, started at zero, each product fused: a column's bits depend on
// nothing but its own numbers and the instruction set.
#pragma once

#include "monarch/product.h"

namespace m2 {

void block_product(const BlockProduct<float>& product);

}  // namespace m2
