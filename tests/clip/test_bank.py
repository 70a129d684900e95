"""Text features: encoded once, and found again by content alone."""

import pytest
import torch
import torch.nn.functional as F

from rgbdsod.clip import SmallClip, TextBank, TextCache
from rgbdsod.clip.small import SmallNetwork
from rgbdsod.errors import UsageError

TEXTS = ["a red circle", "a blue star", "a striped ring"]


class Counting(SmallClip):
    """Remembers how many texts each call encoded."""

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        super().__init__(SmallNetwork())
        self.calls = []

    def encode_text(self, texts):
        self.calls.append(len(texts))
        return super().encode_text(texts)


def test_features_are_unit_vectors_of_the_texts():
    model = Counting()
    bank = TextBank(model, TEXTS)
    assert torch.allclose(bank.features, F.normalize(model.encode_text(TEXTS), dim=1))
    assert bank.features.dtype == torch.float32 and not bank.features.requires_grad
    assert (len(bank), bank.texts[1]) == (3, ("a blue star",))


def test_long_lists_are_encoded_in_pieces():
    model = Counting()
    bank = TextBank(model, [f"circle {number}" for number in range(600)])
    assert model.calls == [256, 256, 88] and bank.features.shape == (600, 64)


def test_several_prompts_of_a_class_are_averaged():
    model = Counting()
    pairs = [("a red circle", "a photo of a red circle"), ("a blue star", "a photo of a blue star")]
    unit = [F.normalize(model.encode_text(pair), dim=1).mean(0) for pair in pairs]
    assert torch.allclose(TextBank(model, pairs).features, F.normalize(torch.stack(unit), dim=1), atol=1e-6)


@pytest.mark.parametrize("on_disk", [False, True])
def test_the_cache_is_keyed_by_content(on_disk, tmp_path):
    """Not by the number of classes, which would give one data set the texts of another (a released project did)."""
    cache = TextCache(tmp_path if on_disk else None)
    model = Counting()
    first = TextBank(model, TEXTS, cache)
    assert torch.equal(TextBank(model, TEXTS, cache).features, first.features) and model.calls == [3]
    others = TextBank(model, ["a green bar", "a pink frame", "a dotted cross"], cache)
    assert model.calls == [3, 3] and not torch.allclose(others.features, first.features)
    TextBank(model, TEXTS[::-1], cache)
    TextBank(model, ["a red", "circle", "a blue star"], cache)
    assert model.calls == [3, 3, 3, 3] and len(cache) == 4
    with torch.no_grad():
        model.visual.class_token += 1
    TextBank(model, TEXTS, cache)
    assert len(model.calls) == 4, "tuning the image encoder leaves the texts' features valid"
    another = Counting(seed=1)
    assert not torch.allclose(TextBank(another, TEXTS, cache).features, first.features)
    assert another.calls == [3]


def test_features_on_disk_outlive_the_object(tmp_path):
    model = Counting()
    first = TextBank(model, TEXTS, TextCache(tmp_path / "new"))
    again = TextBank(model, TEXTS, TextCache(tmp_path / "new"))
    assert model.calls == [3] and torch.equal(first.features, again.features)
    (file,) = (tmp_path / "new").iterdir()
    file.write_bytes(b"damaged")
    assert torch.equal(TextBank(model, TEXTS, TextCache(tmp_path / "new")).features, first.features)
    assert model.calls == [3, 3]


def test_prompts_that_are_no_bank():
    model = Counting()
    for prompts, message in (
        ([], "no prompts; pass one text for each class"),
        (["a star", " "], "a prompt is empty"),
        ([("a", "b"), ("c",)], "different numbers of prompts"),
        ([("a",), ()], "a prompt is empty"),
    ):
        with pytest.raises(UsageError, match=message):
            TextBank(model, prompts)
