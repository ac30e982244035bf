#!/usr/bin/env python3
"""llama.cpp's side of compare.py: one JSON line. Talks to the C interface, so that Python costs it next to nothing."""

import argparse
import ctypes
import json
import math
import time

import llama_cpp as ll
import numpy as np


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--n-prompt", type=int, default=512)
    parser.add_argument("--n-gen", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--score")
    args = parser.parse_args()

    ll.llama_backend_init()
    quiet = ll.llama_log_callback(lambda *_: None)
    ll.llama_log_set(quiet, None)
    start = time.perf_counter()
    model = ll.llama_model_load_from_file(args.model.encode(), ll.llama_model_default_params())
    if not model:
        raise SystemExit("llama.cpp cannot load " + args.model)
    load_s = time.perf_counter() - start
    vocab = ll.llama_model_get_vocab(model)
    size = ll.llama_vocab_n_tokens(vocab)

    params = ll.llama_context_default_params()
    params.n_ctx = max(args.n_prompt + args.n_gen + 8, 1024)
    params.n_batch = params.n_ubatch = max(512, args.n_prompt)
    params.n_threads = params.n_threads_batch = args.threads
    context = ll.llama_init_from_model(model, params)
    memory = ll.llama_get_memory(context)

    def decode(ids):
        array = (ll.llama_token * len(ids))(*ids)
        if ll.llama_decode(context, ll.llama_batch_get_one(array, len(ids))):
            raise SystemExit("llama_decode failed")
        return np.ctypeslib.as_array(ctypes.cast(ll.llama_get_logits_ith(context, -1), ctypes.POINTER(ctypes.c_float)), (size,))

    if args.score:
        text = args.score.encode()
        ids = (ll.llama_token * (len(text) + 8))()
        n = ll.llama_tokenize(vocab, text, len(text), ids, len(ids), True, True)
        ids = list(ids[:n])
        total = 0.0
        for this, following in zip(ids, ids[1:]):
            logits = decode([this]).astype(np.float64)
            top = logits.max()
            total += top + math.log(np.exp(logits - top).sum()) - logits[following]
        print(json.dumps({"nll": total / (n - 1), "tokens": n - 1, "load_s": load_s}))
        return

    rng = np.random.default_rng(1)
    prompt = rng.integers(0, size, args.n_prompt).tolist()
    prefill = generate = math.inf
    for _ in range(args.repeat):
        ll.llama_memory_clear(memory, True)
        start = time.perf_counter()
        logits = decode(prompt)
        prefill = min(prefill, time.perf_counter() - start)
        start = time.perf_counter()
        for _ in range(args.n_gen):
            logits = decode([int(logits.argmax())])
        generate = min(generate, time.perf_counter() - start)
    print(json.dumps({"load_s": load_s, "prefill_tok_s": args.n_prompt / prefill, "decode_tok_s": args.n_gen / generate}))


if __name__ == "__main__":
    main()
