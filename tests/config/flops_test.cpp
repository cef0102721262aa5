#include "config/flops.h"

#include <gtest/gtest.h>

#include "config/presets.h"

namespace m2 {
namespace {

TEST(Flops, CountTheDenseWorkOfAToken) {
  // 12 layers of in_linear, out_linear and a gated MLP of 4 blocks.
  constexpr double kWeights = 12.0 * (3 * 768 * 768 + 768 * 768 + 3 * 768 * 3072 / 4);
  EXPECT_EQ(dense_flops_per_token(preset("m2-bert-80M", 2048)), 2 * kWeights);
  // BERT: four projections and an MLP of two dense matrices.
  EXPECT_EQ(dense_flops_per_token(preset("bert-base", 512)),
            2 * 12.0 * (4 * 768 * 768 + 2 * 768 * 3072));
}

TEST(Flops, CountTheHeadOfALabelledToken) {
  // The vocabulary's 30,522 words are filled up to 30,528 rows.
  EXPECT_EQ(mlm_head_flops_per_label(preset("m2-bert-80M", 128)), 2.0 * 768 * (768 + 30528));
}

TEST(Flops, AttentionGrowsWithTheLength) {
  const ModelConfig bert = preset("bert-base", 8192);
  EXPECT_EQ(attention_flops_per_token(bert, 2048), 2 * 2.0 * 12 * 768 * 2048);
  EXPECT_EQ(attention_flops_per_token(preset("m2-bert-80M", 8192), 2048), 0);
}

}  // namespace
}  // namespace m2
