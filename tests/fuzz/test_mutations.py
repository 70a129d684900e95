"""Valid files with a change that hypothesis thinks of: bytes of any, values of documents."""

import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from fuzz_check import attempt
from fuzz_files import places, put
from fuzz_reader import Reader
from fuzz_readers import READERS
from hypothesis import given
from hypothesis import strategies as st

BYTES = (
    "rgb",
    "depth",
    "depth array",
    "set, rgbdsod.toml",
    "image set, npz, x_test",
    "state, pickled",
    "patch",
    "noise",
    "CIFAR-10, Python",
    "leaderboard",
    "card",
)
TREES = ("camera, json", "COCO", "COCO patches", "Food-101", "report, attack, metrics.json, md")

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@cache
def opened(name: str) -> tuple[Reader, Path, bytes]:
    """A reader, its file among valid ones, and the file's own content."""
    reader = next(one for one in READERS if one.name == name)
    file = reader.prepare(Path(mkdtemp()))
    content = file.read_bytes()
    assert attempt(lambda: reader.read(file)) in (None, "hangs")  # what is imported now is not timed later
    return reader, file, content


def edit(data: st.DataObject, content: bytes) -> bytes:
    """Some places with other bytes, without some, or with some twice."""
    for _ in range(data.draw(st.integers(1, 4), label="edits")):
        at = data.draw(st.integers(0, max(0, len(content) - 1)), label="at")
        length = data.draw(st.integers(0, 16), label="length")
        own = data.draw(st.binary(max_size=8) | st.just(content[at : at + length] * 2), label="own")
        content = content[:at] + own + content[at + length :]
    return content


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", BYTES)
@given(data=st.data())
def test_other_bytes(name: str, data: st.DataObject) -> None:
    reader, file, content = opened(name)
    file.write_bytes(edit(data, content))
    assert attempt(lambda: reader.read(file)) is None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TREES)
@given(data=st.data())
def test_other_values(name: str, data: st.DataObject) -> None:
    reader, file, content = opened(name)
    tree: Any = json.loads(content)
    for _ in range(data.draw(st.integers(1, 3), label="changes")):
        place = data.draw(st.sampled_from(places(tree)), label="place")
        gone = bool(place) and data.draw(st.booleans(), label="gone")
        tree = put(tree, place, drop=True) if gone else put(tree, place, data.draw(VALUES, label="value"))
    file.write_text(json.dumps(tree), encoding="utf-8", errors="surrogatepass")
    assert attempt(lambda: reader.read(file)) is None
