"""BERT-base in PyTorch at its best: one product for q, k and v, fused attention, weights in one dtype.

Eager or torch.compile, whichever is faster on this machine on a text of PROBE_LENGTH tokens; the
title says which it was. One compilation serves all layers.
"""
import time

import numpy
import torch
from torch.nn import functional

from bert_weights import base_sizes, make_weights

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
PROBE_LENGTH = 512
PROBES = 3


def layer_forward(hidden, weights, heads, eps):
    """One layer; `weights` in the order of LAYER_WEIGHTS."""
    (qkv, qkv_bias, attention, attention_bias, attention_norm, attention_norm_bias,
     expand, expand_bias, contract, contract_bias, mlp_norm, mlp_norm_bias) = weights
    batch, length, width = hidden.shape
    projected = functional.linear(hidden, qkv, qkv_bias).view(batch, length, 3, heads, width // heads)
    q, k, v = projected.permute(2, 0, 3, 1, 4).unbind(0)
    mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, width)
    mixed = functional.linear(mixed, attention, attention_bias)
    hidden = functional.layer_norm(mixed + hidden, (width,), attention_norm, attention_norm_bias, eps)
    inner = functional.gelu(functional.linear(hidden, expand, expand_bias))
    inner = functional.linear(inner, contract, contract_bias)
    return functional.layer_norm(inner + hidden, (width,), mlp_norm, mlp_norm_bias, eps)


LAYER_PARTS = ("qkv", "attention", "attention_norm", "expand", "contract", "mlp_norm")
LAYER_WEIGHTS = [f"{part}.{kind}" for part in LAYER_PARTS for kind in ("weight", "bias")]


class Bert:
    """The encoder and mean pooling; `compiled` picks the layers' code."""

    def __init__(self, sizes, weights, dtype):
        def tensor(name, value):
            value = torch.from_numpy(value)
            is_matrix = name[0].isdigit() and value.ndim == 2
            return (value.T if is_matrix else value).contiguous().to(dtype)

        tensors = {name: tensor(name, value) for name, value in weights}
        self.sizes = sizes
        self.words, self.positions = tensors["words"], tensors["positions"]
        self.norm, self.norm_bias = tensors["norm.weight"], tensors["norm.bias"]
        self.layers = [[tensors[f"{layer}.{name}"] for name in LAYER_WEIGHTS] for layer in range(sizes.layers)]
        self.codes = {False: layer_forward, True: torch.compile(layer_forward, dynamic=False)}
        self.compiled = False

    def vectors(self, ids):
        """ids [B][L] to fp32 [B][width]."""
        sizes, layer_code = self.sizes, self.codes[self.compiled]
        with torch.inference_mode():
            hidden = functional.embedding(torch.from_numpy(ids), self.words)
            hidden = functional.layer_norm(hidden + self.positions[:ids.shape[1]], (sizes.width,),
                                           self.norm, self.norm_bias, sizes.norm_eps)
            for weights in self.layers:
                hidden = layer_code(hidden, weights, sizes.heads, sizes.norm_eps)
            return hidden.float().mean(dim=1).numpy()


def best_seconds(model, ids):
    model.vectors(ids)
    times = []
    for _ in range(PROBES):
        start = time.perf_counter()
        model.vectors(ids)
        times.append(time.perf_counter() - start)
    return min(times)


class Peer:
    family = "bert"

    def __init__(self, variant, sizes):
        self.dtype = variant
        self.vocabulary, self.max_length = sizes.vocabulary, sizes.max_length
        self.model = Bert(sizes, make_weights(sizes), DTYPES[variant])
        ids = numpy.zeros((1, min(PROBE_LENGTH, sizes.max_length)), numpy.int64)
        seconds = {}
        for self.model.compiled in (False, True):
            seconds[self.model.compiled] = best_seconds(self.model, ids)
        self.model.compiled = min(seconds, key=seconds.get)
        code = "torch.compile" if self.model.compiled else "eager"
        version = torch.__version__.split("+")[0]
        self.title = f"PyTorch {version}, BERT-base, fused attention, {code}, {variant}"

    def vectors(self, ids):
        return self.model.vectors(ids)


def make(variant, threads, config, folder):
    del folder  # the weights are random
    torch.set_num_threads(threads)
    torch._dynamo.config.recompile_limit = 256  # a compilation a shape
    return Peer(variant, base_sizes(config))
