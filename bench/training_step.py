#!/usr/bin/env python3
"""Times a training step of m2-bert-80M by m2-train and by plain PyTorch, in turn.

    make train
    .venv/bin/python bench/training_step.py [--lengths 128,2048] [--batch 32,2] [--rounds 3]

PyTorch computes what the published code computes (baselines/m2_bert_pytorch.py), with the same dropout, a head over the
labelled tokens alone, clipping and its own fused AdamW; its malloc is told to keep memory, as m2-train's is.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LABELLED = 0.3
DROPOUT = 0.1
CONFIG = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "vocab_size": 30522,
          "hyena_filter_order": 128, "hyena_emb_dim": 5, "residual_long_conv": True, "use_positional_encodings": True}
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_TOP_PAD_": "500000000",
               "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def make_step(length, batch, bf16):
    """A function that takes one training step."""
    sys.path.insert(0, str(ROOT / "bench/baselines"))
    import torch
    from m2_bert_pytorch import GatedMlp, M2Bert
    from torch.nn import functional

    class Trained(M2Bert):
        def __init__(self):
            super().__init__(CONFIG | {"long_conv_l_max": length, "max_position_embeddings": length})
            width, words = CONFIG["hidden_size"], self.embeddings.word_embeddings.num_embeddings
            self.dense, self.norm = torch.nn.Linear(width, width), torch.nn.LayerNorm(width)
            self.bias = torch.nn.Parameter(torch.zeros(words))

        def forward(self, ids, places, labels):
            hidden = functional.dropout(self.embeddings(ids), DROPOUT)
            for layer in self.encoder.layer:
                hidden = layer(hidden, layer.attention.spectra(length))
            picked = hidden.reshape(-1, hidden.shape[-1])[places]
            picked = self.norm(functional.gelu(self.dense(picked)))
            logits = functional.linear(picked, self.embeddings.word_embeddings.weight, self.bias)
            return functional.cross_entropy(logits.float(), labels)

    def mlp_with_dropout(self, hidden):
        gate, value = self.gated_layers(hidden).chunk(2, dim=-1)
        return self.layernorm(self.wo(functional.dropout(functional.gelu(gate) * value, DROPOUT)) + hidden)
    GatedMlp.forward = mlp_with_dropout

    torch.manual_seed(1)
    model = Trained()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.98), eps=1e-6, fused=True)
    ids = torch.randint(1, CONFIG["vocab_size"], (batch, length))
    places = torch.nonzero(torch.rand(batch * length) < LABELLED).squeeze(1)
    labels = ids.reshape(-1)[places]

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            loss = model(ids, places, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    torch.set_num_threads(int(os.environ["M2_THREADS"]))
    return step


def serve(length, batch, bf16):
    """Takes a step for each line of standard input and writes its seconds."""
    step = make_step(length, batch, bf16)
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, flush=True)


class Peer:
    def __init__(self, length, batch, precision):
        self.process = subprocess.Popen([sys.executable, __file__, "--peer", f"{length},{batch},{precision}"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | KEEP_MEMORY)

    def step(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def own_step(program, length, batch, precision):
    """(seconds, roofline fraction) of m2-train's step, one after a warm-up."""
    command = [program, "bench", "--lengths", str(length), "--batch", str(batch), "--repeats", "1", "--precision", precision, "--json"]
    row = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["rows"][0]
    return sum(row[f"{part}_seconds"] for part in ("forward", "backward", "update")), row["roofline_share"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=str(ROOT / "build/release/m2-train"))
    parser.add_argument("--lengths", default="128,2048")
    parser.add_argument("--batch", default="32,2")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "amp_bf16"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["M2_THREADS"] = os.environ.get("M2_THREADS", options.threads)
    if options.peer:
        length, batch, precision = options.peer.split(",")
        return serve(int(length), int(batch), precision == "amp_bf16")
    for length, batch in zip(map(int, options.lengths.split(",")), map(int, options.batch.split(","))):
        peer = Peer(length, batch, options.precision)
        peer.step()  # warm
        rounds = [(own_step(options.program, length, batch, options.precision), peer.step())
                  for _ in range(options.rounds)]
        peer.end()
        own = statistics.median(own for (own, _), _ in rounds)
        theirs = statistics.median(theirs for _, theirs in rounds)
        ratio = statistics.median(theirs / own for (own, _), theirs in rounds)
        roofline = statistics.median(fraction for (_, fraction), _ in rounds)
        print(f"{batch} x {length} {options.precision}: m2-train {own:.2f} s (roofline {roofline:.2f}), "
              f"PyTorch {theirs:.2f} s, {ratio:.2f} times as fast", flush=True)


if __name__ == "__main__":
    main()
