#!/usr/bin/env python3
"""CTranslate2's side of compare.py: one JSON line.

    ctranslate2_bench.py FILE.gguf --compute int8 (--n-prompt 512 --n-gen 64 | --score 1,2,3)     a llama decoder, converted here
    ctranslate2_bench.py FOLDER --compute float32 --signal FILE.f32 --beams 5 --batch 8 --n-gen 64   Whisper, as CTranslate2 keeps it

The file of a decoder is dequantised and stored as CTranslate2's own converter stores a llama. FILE.f32 holds log-mel features (3000, 80).
"""

import argparse
import json
import pathlib
import tempfile
import time

import ctranslate2
import numpy as np
from ctranslate2.specs import common_spec, transformer_spec


def convert(path, folder, compute):
    import gguf
    from gguf import quants
    reader = gguf.GGUFReader(path)
    fields = {k: f.contents() for k, f in reader.fields.items() if k.startswith(("llama.", "tokenizer.ggml."))}
    weights = {t.name: quants.dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}
    heads, groups = fields["llama.attention.head_count"], fields["llama.attention.head_count_kv"]
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        fields["llama.block_count"], heads, activation=common_spec.Activation.SWISH, pre_norm=True, ffn_glu=True, rms_norm=True,
        rotary_dim=0, rotary_interleave=True, rotary_base=fields.get("llama.rope.freq_base", 10000), num_heads_kv=groups)
    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = weights["token_embd.weight"]
    decoder.layer_norm.gamma = weights["output_norm.weight"]
    decoder.projection.weight = weights.get("output.weight", weights["token_embd.weight"])
    for i, layer in enumerate(decoder.layer):
        def w(name):
            return weights[f"blk.{i}.{name}.weight"]
        attention, mlp = layer.self_attention, layer.ffn
        attention.layer_norm.gamma = w("attn_norm")
        attention.linear[0].weight = np.concatenate([w("attn_q"), w("attn_k"), w("attn_v")])
        attention.linear[1].weight = w("attn_output")
        mlp.layer_norm.gamma = w("ffn_norm")
        mlp.linear_0.weight, mlp.linear_0_noact.weight, mlp.linear_1.weight = w("ffn_gate"), w("ffn_up"), w("ffn_down")
    tokens = [f"t{i}" for i in range(weights["token_embd.weight"].shape[0])]
    spec.register_vocabulary(tokens)
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = tokens[0]
    spec.config.layer_norm_epsilon = fields["llama.attention.layer_norm_rms_epsilon"]
    spec.validate()
    spec.optimize(quantization=None if compute == "float32" else compute)
    spec.save(folder)
    return tokens


def least(repeat, call):
    best = np.inf
    for _ in range(repeat):
        begin = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - begin)
    return best


def decoder(args):
    with tempfile.TemporaryDirectory() as folder:
        tokens = convert(args.model, folder, args.compute)
        generator = ctranslate2.Generator(folder, device="cpu", compute_type=args.compute, inter_threads=1, intra_threads=args.threads)
    if args.score:
        ids = [int(i) for i in args.score.split(",")]
        result = generator.score_batch([[tokens[i] for i in ids]])[0]
        log_probs = result.log_probs[-(len(ids) - 1):]
        return {"nll": -float(np.mean(log_probs)), "tokens": len(log_probs)}
    rng = np.random.default_rng(1)
    prompts = [[tokens[i] for i in rng.integers(1, len(tokens), args.n_prompt)] for _ in range(args.batch)]

    def generate(count):
        results = generator.generate_batch(prompts, max_length=count, min_length=count, include_prompt_in_result=False, sampling_topk=1,
                                           max_batch_size=args.batch)
        assert all(len(r.sequences_ids[0]) == count for r in results)
    first = least(args.repeat, lambda: generate(1))  # the prompt, and the token behind it
    rest = least(args.repeat, lambda: generate(1 + args.n_gen)) - first if args.n_gen > 1 else np.inf
    return {"prefill_tok_s": args.batch * args.n_prompt / first, "decode_tok_s": args.batch * args.n_gen / rest}


def whisper(args):
    model = ctranslate2.models.Whisper(args.model, device="cpu", compute_type=args.compute, inter_threads=1, intra_threads=args.threads)
    features = np.fromfile(args.signal, np.float32).reshape(3000, -1).T
    source = ctranslate2.StorageView.from_array(np.ascontiguousarray(np.stack([features] * args.batch)))
    prompt = [int(i) for i in args.ids.split(",")]

    def search(encoded):
        return model.generate(encoded, [prompt] * args.batch, beam_size=args.beams, patience=1, length_penalty=1, suppress_blank=False,
                              suppress_tokens=[args.never], max_length=2 * args.n_gen)  # half of it is for a prompt
    encoded = model.encode(source)
    ids = search(encoded)[0].sequences_ids[0]
    encode_s = least(args.repeat, lambda: model.encode(source))
    search_s = least(args.repeat, lambda: search(encoded))
    assert len(ids) == args.n_gen
    count = args.batch * len(ids)
    return {"ids": ids, "encode_s": encode_s, "search_tok_s": count / search_s, "total_tok_s": count / (encode_s + search_s)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--compute", default="int8", help="int8 or float32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--n-prompt", type=int, default=512)
    parser.add_argument("--n-gen", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--score", help="ids: 1,2,3")
    parser.add_argument("--signal", help="log-mel features, a file of floats")
    parser.add_argument("--ids", help="what the decoder reads first")
    parser.add_argument("--beams", type=int, default=5)
    parser.add_argument("--never", type=int, default=50257, help="an id that is not chosen: the end, so that all searches are of one length")
    args = parser.parse_args()
    print(json.dumps(whisper(args) if pathlib.Path(args.model).is_dir() else decoder(args)))


if __name__ == "__main__":
    main()
