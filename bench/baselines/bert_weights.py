"""BERT's weights, random and the same for every peer: its speed needs no trained ones.

A matrix is [inputs][outputs], as ONNX's MatMul takes it. The queries', keys' and values' stand side
by side in one.
"""
import dataclasses

import numpy


@dataclasses.dataclass(frozen=True)
class BertSizes:
    vocabulary: int
    max_length: int
    layers: int = 12
    width: int = 768
    heads: int = 12
    inner: int = 3072
    norm_eps: float = 1e-12


def base_sizes(config):
    """BERT-base with the vocabulary and the longest text of the model that it is compared with."""
    longest = max(config.get(key, 0) for key in ("long_conv_l_max", "max_position_embeddings"))
    return BertSizes(vocabulary=config["vocab_size"], max_length=longest)


def make_weights(sizes, spread=0.02):
    """(name, fp32 array) of each weight; all have the standard deviation `spread`."""
    random = numpy.random.default_rng(0)

    def normal(*shape):
        return random.standard_normal(shape, numpy.float32) * numpy.float32(spread)

    def norm(name):
        yield f"{name}.weight", 1 + normal(sizes.width)
        yield f"{name}.bias", normal(sizes.width)

    yield "words", normal(sizes.vocabulary, sizes.width)
    # Every token is of type 0: its row is added to the positions once, not to each text.
    yield "positions", normal(sizes.max_length, sizes.width) + normal(sizes.width)
    yield from norm("norm")
    matrices = {"qkv": (sizes.width, 3 * sizes.width), "attention": (sizes.width, sizes.width),
                "expand": (sizes.width, sizes.inner), "contract": (sizes.inner, sizes.width)}
    for layer in range(sizes.layers):
        for name, (inputs, outputs) in matrices.items():
            yield f"{layer}.{name}.weight", normal(inputs, outputs)
            yield f"{layer}.{name}.bias", normal(outputs)
        yield from norm(f"{layer}.attention_norm")
        yield from norm(f"{layer}.mlp_norm")
