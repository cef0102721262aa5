#!/usr/bin/env bash
# tools/demo.sh
# Three novels, one vector each: makes a model of the size of m2-bert-80M for 32,768 tokens, embeds
# the texts of examples/demo and compares the vectors.
set -euo pipefail
cd "$(dirname "$0")/.."

m2=build/release/m2
folder=build/demo
mkdir -p "$folder"
rm -rf "$folder/model" "$folder/vectors.jsonl"

echo "A model of the size of m2-bert-80M for texts of up to 32,768 tokens. No trained model ships yet:"
echo "its weights are RANDOM, so the numbers show speed and memory, and say nothing about the novels."
echo
"$m2" init --preset m2-bert-80M --length 32768 --vocab examples/demo/vocab.txt --seed 1 \
  --padding none "$folder/model"

inputs=()
names=()
for text in examples/demo/texts/*.txt; do
  inputs+=(-f "$text")
  names+=("$(basename "$text" .txt)")
done
command=(embed --model-id "$folder/model" "${inputs[@]}" --truncate end --verbose
  --output "$folder/vectors.jsonl")
echo "\$ m2 ${command[*]}"
"$m2" "${command[@]}"
echo
echo "Tokens of each novel, and the cosine similarity of their vectors:"
# vectors.jsonl holds an object a text: {…"tokens":N,"truncated":B,"total_tokens":N…"embedding":[…]}.
awk -v names="${names[*]}" '
  function number(key) {
    return match($0, "\"" key "\":[0-9]+") ? substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3) : ""
  }
  function dot(a, b,   i, sum) {
    for (i = 1; i <= width; ++i) sum += vector[a, i] * vector[b, i]
    return sum
  }
  {
    note[NR] = number("tokens") " tokens"
    if ($0 ~ /"truncated":true/) note[NR] = note[NR] ", cut from " number("total_tokens")
    sub(/.*"embedding":\[/, "")
    width = split($0, numbers, /[],]/) - 1
    for (i = 1; i <= width; ++i) vector[NR, i] = numbers[i]
  }
  END {
    split(names, name, " ")
    for (row = 1; row <= NR; ++row) {
      line = sprintf("  %-24s", name[row])
      for (column = 1; column <= NR; ++column)
        line = line sprintf(" %7.4f", dot(row, column) / sqrt(dot(row, row) * dot(column, column)))
      print line "   " note[row]
    }
  }' "$folder/vectors.jsonl"
echo
echo "The vectors are in $folder/vectors.jsonl. The weights are random until a trained model ships."
