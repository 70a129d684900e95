"""Batches of a zero-shot evaluation that are filled again: the encoder stays busy, and nothing else changes."""

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor

from rgbdsod.attacks import Budget, ClassProblem, apgd, pgd
from rgbdsod.clip import ClipModel, TextBank, ZeroShot, load_clip, pixels
from rgbdsod.datasets import glyph_set
from rgbdsod.run.clip.evaluate import evaluate_zero_shot
from rgbdsod.run.clip.settings import ZeroShotSettings
from rgbdsod.run.clip.strike import Scene, strike

COUNT = 12
HARD = 2 / 255  # a radius at which some images still stand
SHAPES = glyph_set("shapes", COUNT)


@pytest.fixture(scope="module")
def model() -> ClipModel:
    return load_clip(device="cpu")


@pytest.fixture(scope="module")
def zero_shot(model: ClipModel) -> ZeroShot:
    return ZeroShot(model, TextBank(model, SHAPES.prompts))


@pytest.fixture
def sizes(model: ClipModel, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """Images of each pass of the encoder, and whether it keeps a graph."""
    seen: list[tuple[int, bool]] = []
    embed = type(model).embed

    def noted(self: ClipModel, image: Tensor) -> Tensor:
        seen.append((len(image), image.requires_grad))
        return embed(self, image)

    monkeypatch.setattr(type(model), "embed", noted)
    return seen


def scene(zero_shot: ZeroShot, batch: int | None) -> Scene:
    images = pixels(SHAPES, range(COUNT), side=zero_shot.model.side)
    return Scene(zero_shot, images, torch.from_numpy(SHAPES.labels), zero_shot.predict(images), list(SHAPES.ids), batch)


def quiet(done: int, total: int) -> None:
    """Nobody is told."""


@pytest.mark.parametrize("attack", [pgd, apgd])
def test_shares_of_a_pass_change_neither_points_nor_counts(zero_shot: ZeroShot, attack: Any) -> None:
    before = scene(zero_shot, None)
    threat, words = {"image": Budget(eps=HARD)}, {"steps": 6, "stop": True, "sample_ids": before.ids}
    whole, *others = (
        attack(ClassProblem(zero_shot, before.labels, most=most), {"image": before.images}, threat, **words)
        for most in (None, 12, 5, 1)
    )
    assert 0 < int(whole.fooled.sum()) < COUNT
    for other in others:
        for name in ("loss", "fooled", "forward", "backward", "trace"):
            assert torch.equal(getattr(other, name), getattr(whole, name)), name
        assert torch.equal(other.inputs["image"], whole.inputs["image"])


@pytest.mark.parametrize("name", ["pgd", "aa-fast", "cw-linf", "cw", "noise"])
def test_verdicts_are_those_of_any_batch_size(zero_shot: ZeroShot, name: str) -> None:
    settings = ZeroShotSettings(attacks=(name,), steps=3)
    whole, *others = (strike(name, scene(zero_shot, batch), HARD, settings, quiet) for batch in (None, 5, 1))
    for other in others:
        passes = () if name == "cw" else ("forward", "backward")  # there images that are done wait for others to leave
        for field in ("images", "predicted", "attacked", *passes):
            assert torch.equal(getattr(other, field), getattr(whole, field)), field
        assert torch.equal(other.zero_gradient.nan_to_num(-1), whole.zero_gradient.nan_to_num(-1))
        assert (other.distance is None) == (whole.distance is None)


def test_the_images_of_the_next_batch_take_the_place_of_those_that_fell(
    model: ClipModel, sizes: list[tuple[int, bool]]
) -> None:
    words: dict[str, Any] = {"attacks": "pgd", "eps": 1.5 / 255, "steps": 8, "batch": 3}
    result = evaluate_zero_shot(model, SHAPES, **words)
    row = result.rows[0]
    assert 3 < row["robust_right"] < row["clean_right"]
    assert max(count for count, _ in sizes) == 3, "no pass is larger than a batch"
    together = Counter(count for count, graph in sizes if graph)
    assert sum(count * passes for count, passes in together.items()) == sum(
        own["backward_pgd"] for own in result.samples
    )
    assert together.total() - together[3] <= 8, "all batches of a step are full but for the last one"
    sizes.clear()
    for at in range(0, COUNT, 3):
        evaluate_zero_shot(model, SHAPES.select(range(at, at + 3)), **words)
    assert together.total() < sum(graph for _, graph in sizes)


def test_the_encoders_batch_shrinks_with_the_memory(
    model: ClipModel, sizes: list[tuple[int, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    embed, words = type(model).embed, {"attacks": "pgd", "eps": HARD, "steps": 2}
    expected = evaluate_zero_shot(model, SHAPES, **words, batch=12)
    sizes.clear()

    def small(self: ClipModel, image: Tensor) -> Tensor:
        if image.requires_grad and len(image) > 2:
            raise torch.OutOfMemoryError
        return embed(self, image)

    monkeypatch.setattr(type(model), "embed", small)
    found = evaluate_zero_shot(model, SHAPES, **words, batch=4)
    assert max(count for count, graph in sizes if graph) == 2
    assert [row["prediction_pgd"] for row in found.samples] == [row["prediction_pgd"] for row in expected.samples]


def test_images_that_half_precision_misclassifies_have_no_first_gradient(zero_shot: ZeroShot) -> None:
    """With several attacks they are not given to the first one; the others keep their own figures."""
    before = scene(zero_shot, 5)

    class Coarse(ZeroShot):
        """Says another class of the third image, in half precision alone."""

        def forward(self, image: Any) -> Tensor:
            logits = super().forward(image)
            if torch.is_autocast_enabled("cpu") and not torch.is_grad_enabled() and len(logits) == 5:
                logits = logits.clone()
                logits[2] = logits[2].roll(1)
            return logits

    coarse = Coarse(zero_shot.model, TextBank(zero_shot.model, SHAPES.prompts))
    own = Scene(coarse, before.images, before.labels, before.clean, before.ids, 5)
    settings = ZeroShotSettings(attacks=("aa-fast",), steps=2, dtype="bfloat16").checked()
    struck = strike("aa-fast", own, HARD, settings, quiet)
    right = before.clean == before.labels
    assert 0 < int(struck.zero_gradient[right].isnan().sum()) < int(right.sum())
