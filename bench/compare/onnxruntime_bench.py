#!/usr/bin/env python3
"""Times onnxruntime on a BERT folder, and prints one JSON line. compare_encoders.py calls it.

The graph is written here from model.safetensors in the form that exporters give, then fused by onnxruntime's own optimizer for
transformers (attention, skip-layer-norm, bias-gelu), and run in f32.

    onnxruntime_bench.py FOLDER --threads 2 --length 128 --batch 32 [--seconds 2] [--text TEXT]
"""

import argparse
import json
import pathlib
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.transformers import optimizer
from safetensors.numpy import load_file


class Graph:
    def __init__(self, weights):
        self.nodes, self.constants, self.weights = [], {}, weights

    def node(self, op, *inputs, **attributes):
        out = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [out], name=out, **attributes))
        return out

    def constant(self, name, value):
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def weight(self, name, transpose=False):
        value = self.weights[name]
        return self.constant(name, value.T if transpose else value)

    def linear(self, x, name):
        return self.node("Add", self.weight(name + ".bias"), self.node("MatMul", x, self.weight(name + ".weight", True)))

    def norm(self, x, name, eps):
        return self.node("LayerNormalization", x, self.weight(name + ".weight"), self.weight(name + ".bias"), axis=-1, epsilon=eps)


def build(folder, path):
    config = json.loads((folder / "config.json").read_text())
    g = Graph(load_file(folder / "model.safetensors"))
    heads, hidden, eps = config["num_attention_heads"], config["hidden_size"], config["layer_norm_eps"]
    size = hidden // heads
    # The mask: 0 where a token is, a large negative number where padding is.
    mask = g.node("Cast", g.node("Unsqueeze", g.node("Unsqueeze", "attention_mask", g.constant("axis1", np.array([1]))),
                                 g.constant("axis2", np.array([2]))), to=TensorProto.FLOAT)
    mask = g.node("Mul", g.node("Sub", g.constant("one", np.float32(1)), mask), g.constant("far", np.float32(-10000)))
    words = g.node("Gather", g.weight("embeddings.word_embeddings.weight"), "input_ids")
    types = g.node("Gather", g.weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
    places = g.node("Gather", g.weight("embeddings.position_embeddings.weight"), "position_ids")
    x = g.norm(g.node("Add", g.node("Add", words, types), places), "embeddings.LayerNorm", eps)
    split, join = g.constant("split", np.array([0, 0, heads, size])), g.constant("join", np.array([0, 0, hidden]))
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}"

        def head_rows(name, perm):
            return g.node("Transpose", g.node("Reshape", g.linear(x, f"{layer}.attention.self.{name}"), split), perm=perm)
        q, v = head_rows("query", [0, 2, 1, 3]), head_rows("value", [0, 2, 1, 3])
        k = head_rows("key", [0, 2, 3, 1])
        scores = g.node("Div", g.node("MatMul", q, k), g.constant("root", np.float32(np.sqrt(size))))
        weights = g.node("Softmax", g.node("Add", scores, mask), axis=-1)
        mixed = g.node("Reshape", g.node("Transpose", g.node("MatMul", weights, v), perm=[0, 2, 1, 3]), join)
        x = g.norm(g.node("Add", g.linear(mixed, f"{layer}.attention.output.dense"), x), f"{layer}.attention.output.LayerNorm", eps)
        up = g.linear(x, f"{layer}.intermediate.dense")
        erf = g.node("Erf", g.node("Div", up, g.constant("root2", np.float32(np.sqrt(2)))))
        act = g.node("Mul", g.node("Mul", up, g.node("Add", erf, "one")), g.constant("half", np.float32(0.5)))
        x = g.norm(g.node("Add", g.linear(act, f"{layer}.output.dense"), x), f"{layer}.output.LayerNorm", eps)
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "length"])
              for n in ("input_ids", "attention_mask", "token_type_ids", "position_ids")]
    out = helper.make_tensor_value_info(x, TensorProto.FLOAT, ["batch", "length", hidden])
    graph = helper.make_graph(g.nodes, "bert", inputs, [out], list(g.constants.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return heads, hidden


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--text", help="print its mean-pooled, normalised vector instead of a time (needs the package tokenizers)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        plain, fused = f"{temporary}/plain.onnx", f"{temporary}/fused.onnx"
        heads, hidden = build(args.folder, plain)
        optimised = optimizer.optimize_model(plain, model_type="bert", num_heads=heads, hidden_size=hidden, opt_level=0)
        optimised.save_model_to_file(fused)
        kinds = {}
        for n in optimised.model.graph.node:
            kinds[n.op_type] = kinds.get(n.op_type, 0) + 1
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        session = onnxruntime.InferenceSession(fused, options, providers=["CPUExecutionProvider"])
    ids = np.full((args.batch, args.length), 2023)
    if args.text:
        from tokenizers import Tokenizer
        tokenizer = Tokenizer.from_file(str(args.folder / "tokenizer.json"))
        tokenizer.no_padding()
        ids = np.array([tokenizer.encode(args.text).ids])
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids),
            "position_ids": np.broadcast_to(np.arange(ids.shape[1]), ids.shape)}
    feed = {i.name: feed[i.name].astype(np.int32 if "32" in i.type else np.int64) for i in session.get_inputs()}
    out = session.run(None, feed)[0]
    result = {"fused": {k: kinds.get(k, 0) for k in ("Attention", "SkipLayerNormalization", "BiasGelu", "EmbedLayerNormalization")}}
    if args.text:
        vector = out[0].mean(0)
        result["vector"] = [float(v) for v in vector / np.linalg.norm(vector)]
    else:
        best, end = 1e9, time.perf_counter() + args.seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            session.run(None, feed)
            best = min(best, time.perf_counter() - start)
        result["sentences_s"] = args.batch / best
    print(json.dumps(result))


if __name__ == "__main__":
    main()
