"""Runs one fuzz target with atheris (libFuzzer): ``python -m tests.fuzz.harness draft -max_total_time=60``.

What the fuzzers find becomes a file in ``tests/fuzz/regressions/<target>/``, which ``test_targets.py`` reads on every machine.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path

TARGETS = ("draft", "render", "html", "markdown", "docx", "page")
REGRESSIONS = Path(__file__).parent / "regressions"


def main(name: str, *options: str) -> None:
    """Fuzzes a target until libFuzzer's own options say it is enough; exits with libFuzzer's code."""
    try:
        import atheris
    except ImportError:
        print(f"fuzz {name}: SKIPPED, there is no atheris for this machine (it is made for CPython 3.11 to 3.13 on Linux, x86-64)")
        return
    # Only what decides about the input is watched for coverage: instrumenting every library takes minutes.
    with atheris.instrument_imports(include=["pipeline", "markdown_it", "mdit_py_plugins"]):
        module = importlib.import_module(f"tests.fuzz.fuzz_{name}")
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-") as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate([*module.SEEDS, *regressions(name)]):
            (corpus / str(number)).write_bytes(seed)
        dictionary = Path(folder) / "words"
        dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in module.WORDS), "ascii")
        bounds = ["-max_len=4000", "-timeout=20", "-rss_limit_mb=2000", f"-dict={dictionary}"]
        atheris.Setup([sys.argv[0], *bounds, *options, str(corpus)], module.target)
        atheris.Fuzz()


def regressions(name: str) -> list[bytes]:
    """What once made a target fail."""
    return [path.read_bytes() for path in sorted((REGRESSIONS / name).glob("*"))]


def _escaped(word: str) -> str:
    return "".join(chr(byte) if 32 < byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
