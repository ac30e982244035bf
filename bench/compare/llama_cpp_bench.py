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
    parser.add_argument("--batch", type=int, default=1, help="sequences side by side")
    parser.add_argument("--first-token", action="store_true", help="seconds from before the load to the first token of the prompt")
    parser.add_argument("--score", help="a text, or ids for a model without a tokenizer: 1,2,3")
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
    params.n_ctx = max(args.batch * (args.n_prompt + args.n_gen + 8), 256 if args.first_token else 1024)
    params.n_batch = params.n_ubatch = max(512, args.batch * args.n_prompt)
    params.n_seq_max = args.batch
    params.n_threads = params.n_threads_batch = args.threads
    context = ll.llama_init_from_model(model, params)
    memory = ll.llama_get_memory(context)

    def decode(ids):
        array = (ll.llama_token * len(ids))(*ids)
        if ll.llama_decode(context, ll.llama_batch_get_one(array, len(ids))):
            raise SystemExit("llama_decode failed")
        return np.ctypeslib.as_array(ctypes.cast(ll.llama_get_logits_ith(context, -1), ctypes.POINTER(ctypes.c_float)), (size,))

    if args.score:
        if ll.llama_vocab_type(vocab) == ll.LLAMA_VOCAB_TYPE_NONE:
            ids = [int(i) for i in args.score.split(",")]
        else:
            text = args.score.encode()
            ids = (ll.llama_token * (len(text) + 8))()
            ids = list(ids[:ll.llama_tokenize(vocab, text, len(text), ids, len(ids), True, True)])
        n = len(ids)
        total = 0.0
        for this, following in zip(ids, ids[1:]):
            logits = decode([this]).astype(np.float64)
            top = logits.max()
            total += top + math.log(np.exp(logits - top).sum()) - logits[following]
        print(json.dumps({"nll": total / (n - 1), "tokens": n - 1, "load_s": load_s}))
        return

    # One step of all sequences: each gives its ids (as many as the others), the last of which answers with logits.
    def step(ids, position):
        batch = ll.llama_batch_init(len(ids) * len(ids[0]), 0, 1)
        for sequence, row in enumerate(ids):
            for i, token in enumerate(row):
                n = batch.n_tokens
                batch.token[n], batch.pos[n], batch.n_seq_id[n], batch.seq_id[n][0] = token, position + i, 1, sequence
                batch.logits[n] = i + 1 == len(row)
                batch.n_tokens += 1
        if ll.llama_decode(context, batch):
            raise SystemExit("llama_decode failed")
        last = [(i + 1) * len(ids[0]) - 1 for i in range(len(ids))]
        rows = [np.ctypeslib.as_array(ctypes.cast(ll.llama_get_logits_ith(context, i), ctypes.POINTER(ctypes.c_float)), (size,)) for i in last]
        ll.llama_batch_free(batch)
        return [int(row.argmax()) for row in rows]

    rng = np.random.default_rng(1)
    prompts = [rng.integers(0, size, args.n_prompt).tolist() for _ in range(args.batch)]
    if args.first_token:
        step(prompts, 0)
        print(json.dumps({"first_token_s": time.perf_counter() - start}))
        return
    prefill = generate = math.inf
    for _ in range(args.repeat):
        ll.llama_memory_clear(memory, True)
        begin = time.perf_counter()
        if args.batch == 1:
            following = [int(decode(prompts[0]).argmax())]
        else:
            following = step(prompts, 0)
        prefill = min(prefill, time.perf_counter() - begin)
        begin = time.perf_counter()
        for i in range(args.n_gen):
            following = step([[t] for t in following], args.n_prompt + i)
        generate = min(generate, time.perf_counter() - begin)
    print(json.dumps({"load_s": load_s, "prefill_tok_s": args.batch * args.n_prompt / prefill,
                      "decode_tok_s": args.batch * args.n_gen / generate}))


if __name__ == "__main__":
    main()
