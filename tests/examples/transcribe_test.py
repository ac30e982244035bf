"""transcribe with bad input: one sentence and status 1 each, before any model is read.    transcribe_test.py PROGRAM GOLDEN_FOLDER"""
import os
import struct
import sys
import tempfile

from word_model import make, refused


def wav(rate=16000, samples=b"\0\1" * 800, channels=1, coding=1, said=None):
    """A WAV file; `said`: the bytes of samples that its header speaks of."""
    said = len(samples) if said is None else said
    fmt = struct.pack("<HHIIHH", coding, channels, rate, rate * channels * 2, channels * 2, 16)
    return b"RIFF" + struct.pack("<I", 36 + said) + b"WAVE" + b"fmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", said) + samples


def main(program, golden):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.wav")

        def sound(content):
            with open(path, "wb") as f:
                f.write(content)
            return ["--model", folder, "--audio", path]

        refused(program, 1, "none.wav", "--model", folder, "--audio", os.path.join(folder, "none.wav"))
        whole = wav()
        for cut in (0, 3, 11, 20, 43, len(whole) - 500, len(whole) - 1):  # in each of its parts
            refused(program, 1, "x.wav", *sound(whole[:cut]))
        refused(program, 1, "x.wav", *sound(wav(said=1 << 31)))
        refused(program, 1, "x.wav", *sound(b"OggS" + whole[4:]))
        refused(program, 1, "x.wav", *sound(wav(coding=85)))
        refused(program, 1, "x.wav", *sound(wav(channels=65)))
        for rate in (0, 999, 768001):
            refused(program, 1, "x.wav", *sound(wav(rate=rate)))

        # A sound that can be read: what is wrong is the model.
        refused(program, 1, "config.json", *sound(wav(rate=44100)))
        make(golden, folder)
        refused(program, 1, "<|startoftranscript|>", *sound(wav(rate=44100)))

        refused(program, 2, "--audio", "--model", folder)
        refused(program, 2, "--beams", *sound(whole), "--beams", "0")
        refused(program, 2, "--task", *sound(whole), "--task", "sing")


if __name__ == "__main__":
    main(*sys.argv[1:])
