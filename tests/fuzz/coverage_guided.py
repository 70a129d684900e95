"""Texts that reach new lines of the parsers written here: `make fuzz` runs it where atheris is installed.

python tests/fuzz/coverage_guided.py -max_total_time=60 -seed=1
"""

import sys

import atheris

with atheris.instrument_imports(include=["rgbdsod"]):
    from rgbdsod.cli.sources import depth_range, parse_size
    from rgbdsod.datasets.coco.outlines import decoded_runs
    from rgbdsod.defenses.filters.grammar import parse
    from rgbdsod.errors import RgbdsodError
    from rgbdsod.foreign.documents import parse_json, parse_toml
    from rgbdsod.run.threats import parse_eps

FLAGS = (parse, parse_eps, parse_size, depth_range)
DOCUMENTS = (parse_json, parse_toml, lambda text: decoded_runs({"size": [5, 7], "counts": text}, (5, 7)))


def one(content: bytes) -> None:
    """A parser, chosen by the first byte, reads the rest, or refuses it as it should."""
    if not content:
        return
    readers = (*FLAGS, *DOCUMENTS)
    reader = readers[content[0] % len(readers)]
    text = content[1:].decode("utf-8", "replace")
    try:
        reader(text)
    except RgbdsodError:
        return
    except ValueError:
        if reader in FLAGS:
            raise


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
