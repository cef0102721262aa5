"""BERT-base in ONNX Runtime with the graph that suits it best, built by hand.

Attention is com.microsoft's MultiHeadAttention, which on a CPU goes through the keys in tiles where
there is no mask; no exporter makes that graph. Every bias is part of the operator after its product.
int8: activations u8 by tensor, ranges taken at each call; weights s8 by output channel. A product's
input is quantised once however many products read it.
"""
import multiprocessing
import os
import pathlib
import tempfile

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from bert_weights import base_sizes, make_weights

MICROSOFT = "com.microsoft"


def largest_weight():
    """Of an s8 weight, in magnitude: without VNNI two u8·s8 products are added in 16 bits, which 7-bit weights fit."""
    features = pathlib.Path("/proc/cpuinfo").read_text()
    return 127 if "avx512_vnni" in features or "avx_vnni" in features else 63


class GraphBuilder:
    def __init__(self, weights, int8, weight_limit):
        self.weights, self.int8, self.weight_limit = weights, int8, weight_limit
        self.nodes, self.initialisers, self.quantised = [], {}, {}

    def constant(self, name, value):
        if name not in self.initialisers:
            self.initialisers[name] = numpy_helper.from_array(numpy.ascontiguousarray(value), name)
        return name

    def weight(self, name):
        return self.constant(name, self.weights[name])

    def add(self, operator, inputs, outputs, domain="", **attributes):
        outputs = [outputs] if isinstance(outputs, str) else outputs
        self.nodes.append(helper.make_node(operator, inputs, outputs, domain=domain, **attributes))
        return outputs[0]

    def quantise(self, x):
        if x not in self.quantised:
            names = [f"{x}.u8", f"{x}.scale", f"{x}.zero"]
            self.add("DynamicQuantizeLinear", [x], names)
            self.quantised[x] = names
        return self.quantised[x]

    def product(self, x, name, matrix):
        """x times the matrix, without its bias."""
        if not self.int8:
            return self.add("MatMul", [x, self.constant(f"{name}.weight", matrix)], f"{name}.product")
        # A column of zeros has any scale.
        scale = numpy.maximum(numpy.abs(matrix).max(axis=0), 1e-30) / self.weight_limit
        rounded = numpy.rint(matrix / scale).astype(numpy.int8)
        values, value_scale, value_zero = self.quantise(x)
        return self.add(
            "MatMulIntegerToFloat",
            [values, self.constant(f"{name}.s8", rounded), value_scale,
             self.constant(f"{name}.scale", scale.astype(numpy.float32)), value_zero],
            f"{name}.product", MICROSOFT)

    def skip_norm(self, x, skip, bias, norm, eps):
        constants = [self.weight(name) for name in (f"{norm}.weight", f"{norm}.bias", bias)]
        return self.add("SkipLayerNormalization", [x, skip, *constants], f"{norm}.out", MICROSOFT, epsilon=eps)

    def embeddings(self, eps):
        """ids [B][L] to the first layer's input."""
        words = self.add("Gather", [self.weight("words"), "ids"], "words.rows")
        zero, one = (self.constant(f"number.{n}", numpy.array([n], numpy.int64)) for n in (0, 1))
        length = self.add("Shape", ["ids"], "length", start=1, end=2)
        positions = self.add("Slice", [self.weight("positions"), zero, length, zero, one], "positions.rows")
        hidden = self.add("Add", [words, positions], "embeddings.sum")
        inputs = [hidden, self.weight("norm.weight"), self.weight("norm.bias")]
        return self.add("LayerNormalization", inputs, "embeddings.out", axis=-1, epsilon=eps)

    def layer(self, hidden, layer, heads, eps):
        thirds = zip("qkv", numpy.split(self.weights[f"{layer}.qkv.weight"], 3, axis=1))
        projected = [self.product(hidden, f"{layer}.{third}", matrix) for third, matrix in thirds]
        mixed = self.add("MultiHeadAttention", [*projected, self.weight(f"{layer}.qkv.bias")],
                         f"{layer}.mixed", MICROSOFT, num_heads=heads)
        mixed = self.product(mixed, f"{layer}.attention", self.weights[f"{layer}.attention.weight"])
        hidden = self.skip_norm(mixed, hidden, f"{layer}.attention.bias", f"{layer}.attention_norm", eps)
        inner = self.product(hidden, f"{layer}.expand", self.weights[f"{layer}.expand.weight"])
        bias = self.weight(f"{layer}.expand.bias")
        inner = self.add("BiasGelu", [inner, bias], f"{layer}.inner", MICROSOFT)
        inner = self.product(inner, f"{layer}.contract", self.weights[f"{layer}.contract.weight"])
        return self.skip_norm(inner, hidden, f"{layer}.contract.bias", f"{layer}.mlp_norm", eps)


def build_model(sizes, spread, int8, weight_limit):
    """The model: ids (int64 [B][L]) to mean-pooled vectors."""
    builder = GraphBuilder(dict(make_weights(sizes, spread)), int8, weight_limit)
    hidden = builder.embeddings(sizes.norm_eps)
    for layer in range(sizes.layers):
        hidden = builder.layer(hidden, layer, sizes.heads, sizes.norm_eps)
    axis = builder.constant("number.1", numpy.array([1], numpy.int64))
    builder.add("ReduceMean", [hidden, axis], "vectors", keepdims=0)
    graph = helper.make_graph(
        builder.nodes, "bert",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", sizes.width])],
        list(builder.initialisers.values()))
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def save_model(path, *of_model):
    model = build_model(*of_model)
    os.chdir(pathlib.Path(path).parent)  # onnx refuses a name that the working folder has
    onnx.save_model(model, path, save_as_external_data=True, location="weights", size_threshold=1024)


class Bert:
    def __init__(self, sizes, int8, threads, spread=0.02, weight_limit=None):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/model.onnx"
            of_model = (path, sizes, spread, int8, weight_limit or largest_weight())
            # In a process of its own: what building takes is no part of this one's peak memory.
            builder = multiprocessing.get_context("spawn").Process(target=save_model, args=of_model)
            builder.start()
            builder.join()
            if builder.exitcode != 0:
                raise RuntimeError("the ONNX model could not be built; see standard error")
            self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def vectors(self, ids):
        return self.session.run(None, {"ids": ids})[0]


class Peer:
    family = "bert"

    def __init__(self, variant, sizes, threads):
        self.dtype = variant
        self.vocabulary, self.max_length = sizes.vocabulary, sizes.max_length
        self.bert = Bert(sizes, variant == "int8", threads)
        self.title = f"ONNX Runtime {onnxruntime.__version__}, BERT-base, tiled attention, {variant}"

    def vectors(self, ids):
        return self.bert.vectors(ids)


def make(variant, threads, config, folder):
    del folder  # the weights are random
    return Peer(variant, base_sizes(config), threads)
