#!/usr/bin/env bash
# tools/demo.sh
# Three novels, one vector each: makes a model of the size of m2-bert-80M for 32,768 tokens, embeds
# the texts of examples/demo and compares the vectors.
set -euo pipefail
cd "$(dirname "$0")/.."

m2=build/release/m2
folder=build/demo
mkdir -p "$folder"
rm -rf "$folder/model" "$folder/vectors.txt" "$folder/report.txt"

echo "A model of the size of m2-bert-80M for texts of up to 32,768 tokens. No trained model ships yet:"
echo "its weights are RANDOM, so the numbers show speed and memory, and say nothing about the novels."
echo
"$m2" init --preset m2-bert-80M --length 32768 --vocab examples/demo/vocab.txt --seed 1 \
  --padding none "$folder/model"
echo
echo "\$ m2 embed --model-id $folder/model -f examples/demo/texts/*.txt --truncate end --verbose"
inputs=()
names=()
for text in examples/demo/texts/*.txt; do
  inputs+=(-f "$text")
  names+=("$(basename "$text" .txt)")
done
"$m2" embed --model-id "$folder/model" "${inputs[@]}" --truncate end --verbose --format txt \
  --output "$folder/vectors.txt" 2>&1 | tee "$folder/report.txt"
echo
echo "Cosine similarity of the vectors ($folder/vectors.txt):"
# A line of vectors.txt is a vector, its numbers separated by blanks.
awk -v names="${names[*]}" '
  { for (i = 1; i <= NF; ++i) vector[NR, i] = $i; width = NF }
  function dot(a, b,   i, sum) { for (i = 1; i <= width; ++i) sum += vector[a, i] * vector[b, i]; return sum }
  END {
    split(names, name, " ")
    for (row = 1; row <= NR; ++row) {
      line = sprintf("  %-24s", name[row])
      for (column = 1; column <= NR; ++column)
        line = line sprintf(" %7.4f", dot(row, column) / sqrt(dot(row, row) * dot(column, column)))
      print line
    }
  }' "$folder/vectors.txt"
echo
echo "What m2 embed reported last: $(tail -n 1 "$folder/report.txt")"
echo "The weights are random until a trained model ships."
