"""Matching: hard negatives, displaced depth, the head; and the filter that it makes possible."""

import pytest
import torch

from rgbdsod.errors import UsageError
from rgbdsod.fusion import ITM, CrossEncoder, altered_depth, filter_quality, filter_weights, hard_negatives

CHANNELS = {"rgb": 8, "depth": 6}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def maps(count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    random = generator(1)
    return torch.randn(count, 8, 3, 3, generator=random), torch.randn(count, 6, 3, 3, generator=random)


def test_hard_negatives_are_drawn_by_similarity_and_never_the_positive() -> None:
    logits = torch.tensor([[9.0, 1.0, 0.0, 2.0], [0.0, 9.0, 3.0, 1.0], [1.0, 1.0, 9.0, 1.0], [0.0, 5.0, 0.0, 9.0]])
    random, count = generator(), 8000
    drawn = torch.stack([hard_negatives(logits, None, random)[0] for _ in range(count)])
    own = torch.eye(4, dtype=torch.bool)
    expected = logits.masked_fill(own, -torch.inf).softmax(1)
    for row in range(4):
        frequency = torch.bincount(drawn[:, row], minlength=4) / count
        assert frequency[row] == 0
        torch.testing.assert_close(frequency, expected[row], atol=4 * (0.25 / count) ** 0.5, rtol=0)


def test_hard_negatives_leave_out_the_group() -> None:
    groups = torch.tensor([2, 2, -1, -1])
    logits = torch.zeros(4, 4)
    logits[0, 1] = 50
    drawn = {int(hard_negatives(logits, groups, generator(seed))[0][0]) for seed in range(40)}
    assert drawn == {2, 3}
    _, found = hard_negatives(logits, torch.zeros(4, dtype=torch.long), generator())
    assert not found.any()
    assert not hard_negatives(torch.zeros(1, 1), None, generator())[1].any()


def test_altered_depth_is_another_arrangement_of_the_same() -> None:
    ramp = torch.linspace(0, 1, 32).expand(12, 1, 32, 32).contiguous()
    mask = torch.zeros(12, 1, 32, 32)
    mask[:, :, 10:20, 10:20] = 1
    changed, visible = altered_depth(ramp, None, generator())
    assert visible.all()
    assert changed.min() >= 0 and changed.max() <= 1
    kinds = {tuple(x.flatten().tolist()) for x in changed}
    assert len(kinds) >= 2
    flat, seen = altered_depth(torch.full((3, 1, 32, 32), 0.4), None, generator())
    assert not seen.any(), "a flat wall looks the same whatever is done to it"
    torch.testing.assert_close(flat, torch.full((3, 1, 32, 32), 0.4))


def test_the_object_is_removed_with_what_is_around_it() -> None:
    depth, mask = torch.full((40, 1, 32, 32), 0.25), torch.zeros(40, 1, 32, 32)
    depth[:, :, 10:20, 10:20] = 0.9
    mask[:, :, 10:20, 10:20] = 1
    changed, _ = altered_depth(depth, mask, generator())
    removed = [x for x in changed if x.max() < 0.8]
    assert removed
    torch.testing.assert_close(removed[0], torch.full((1, 32, 32), 0.25))


def test_matching_can_be_learned() -> None:
    """Four kinds of scenes; images of one kind are one group, so no true pair stands among the negatives."""
    torch.manual_seed(0)
    itm = ITM(CrossEncoder(CHANNELS, width=32, layers=1))
    optimizer = torch.optim.Adam(itm.parameters(), 5e-3)
    random = generator(2)
    for _ in range(100):
        kind = torch.randint(4, (12,), generator=random)
        code = 2 * torch.nn.functional.one_hot(kind, 8).float()[:, :, None, None].expand(-1, -1, 2, 2)
        rgb, depth = code, code[:, :6]
        loss, seen = itm(rgb, depth, torch.zeros(12, 12), random, kind)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.2
    assert float(seen["true"]) > 0.9 and float(seen["hard"]) > 0.9
    other = code[(kind[:, None] != kind).int().argmax(1), :6]
    itm.eval()
    assert itm.score(rgb, depth).mean() > itm.score(rgb, other).mean() + 0.5


@pytest.mark.parametrize("groups", [None, torch.zeros(4, dtype=torch.long)], ids=["one image", "one group"])
def test_without_other_images_displaced_depth_is_the_negative(groups: torch.Tensor | None) -> None:
    itm = ITM(CrossEncoder(CHANNELS, width=16))
    rgb, depth = maps(1 if groups is None else 4)
    count = len(rgb)
    loss, seen = itm(rgb, depth, torch.zeros(count, count), generator(), groups, depth.flip(-1))
    logits = itm.logits(torch.cat([rgb, rgb]), torch.cat([depth, depth.flip(-1)]))
    labels = torch.tensor([1] * count + [0] * count)
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(logits, labels))
    assert seen["hard"] == 1, "there were none"


def test_matching_is_finite_in_half_precision() -> None:
    rgb, depth = ((100 * x).half().requires_grad_() for x in maps(2))
    with torch.autocast("cpu", torch.float16):
        loss, _ = ITM(CrossEncoder(CHANNELS, width=16))(rgb, depth, torch.zeros(2, 2), generator())
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(rgb.grad).all()


def test_the_class_token_knows_both_inputs() -> None:
    cross = CrossEncoder(CHANNELS, width=16)
    rgb, depth = maps(2)
    token, attention = cross(rgb, depth)
    torch.testing.assert_close(attention.sum(1), torch.ones(2))
    assert not torch.allclose(token, cross(rgb.flip(-1), depth)[0])
    assert not torch.allclose(token, cross(rgb, depth.flip(-1))[0]), "places matter"


def test_the_filter_drops_or_weighs() -> None:
    scores = torch.tensor([0.9, 0.1, 0.6, 0.3])
    assert filter_weights(scores).tolist() == [1, 0, 1, 0]
    assert filter_weights(scores, share=0.25).tolist() == [1, 0, 1, 1]
    weights = filter_weights(scores, mode="weight")
    torch.testing.assert_close(weights, scores / scores.mean())
    with pytest.raises(UsageError, match="calls every pair foreign"):
        filter_weights(torch.zeros(3))
    with pytest.raises(UsageError, match="expected drop or weight"):
        filter_weights(scores, mode="keep")
    with pytest.raises(UsageError, match="a share of 1: from 0 to below 1"):
        filter_weights(scores, share=1.0)


def test_how_well_the_filter_finds_foreign_pairs() -> None:
    found = filter_quality(torch.tensor([0.9, 0.8, 0.4, 0.3, 0.6]), torch.tensor([False, False, False, True, True]))
    assert found == pytest.approx({"auroc": 5 / 6, "precision": 0.5, "recall": 0.5})
