"""Writes what each BERT peer makes of the same ids, at small sizes: bert_vectors.py OUT.npz LENGTH...

Runs in bench/.venv, which alone has ONNX Runtime; peers_test.py compares. Arrays are named
PEER-LENGTH, as pytorch-fp32-127.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench/baselines"))

import bert_onnxruntime  # noqa: E402
import bert_pytorch  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402
from bert_weights import BertSizes, make_weights  # noqa: E402

SIZES = BertSizes(vocabulary=97, max_length=320, layers=2, width=48, heads=3, inner=80)
SPREAD = 0.2  # so that attention's weights are far from even
THREADS = 2


def random_ids(length):
    return numpy.random.default_rng(length).integers(0, SIZES.vocabulary, (2, length))


def main():
    output, *lengths = sys.argv[1:]
    lengths = [int(length) for length in lengths]
    vectors = {}

    def compute(name, model):
        for length in lengths:
            vectors[f"{name}-{length}"] = model.vectors(random_ids(length))

    for name, dtype in bert_pytorch.DTYPES.items():
        compute(f"pytorch-{name}", bert_pytorch.Bert(SIZES, make_weights(SIZES, SPREAD), dtype))
    for name in ("fp32", "int8"):
        compute(f"onnxruntime-{name}", bert_onnxruntime.Bert(SIZES, name == "int8", THREADS, SPREAD))
    # Controls: weights of three bits, and the other GELU.
    compute("control-int8", bert_onnxruntime.Bert(SIZES, True, THREADS, SPREAD, weight_limit=3))
    exact = torch.nn.functional.gelu
    torch.nn.functional.gelu = lambda x: exact(x, approximate="tanh")
    compute("control-fp32", bert_pytorch.Bert(SIZES, make_weights(SIZES, SPREAD), torch.float32))
    numpy.savez(output, **vectors)


if __name__ == "__main__":
    main()
