"""RGB-depth contrast: CLIP's loss, its symmetries, groups, the queue and the dense form."""

import pytest
import torch
import torch.nn.functional as F

from rgbdsod.errors import UsageError
from rgbdsod.fusion import (
    ITC,
    DenseITC,
    FeatureQueue,
    MomentumCopy,
    consistency_map,
    dense_itc_loss,
    itc_loss,
    itc_losses,
    queue_itc_loss,
)

T = 0.07


def features(count: int = 6, size: int = 16, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(count, size, generator=random), torch.randn(count, size, generator=random)


def clip_loss(rgb: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
    """The pseudo-code of CLIP's figure 3, in float64."""
    rgb, depth = (x.double() / x.double().norm(dim=1, keepdim=True) for x in (rgb, depth))
    logits, labels = rgb @ depth.T / T, torch.arange(len(rgb))
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


def test_it_is_the_loss_of_clip() -> None:
    rgb, depth = features()
    assert abs(float(itc_loss(rgb, depth, T)[0] - clip_loss(rgb, depth))) < 1e-6


def test_it_is_symmetric() -> None:
    rgb, depth = features()
    torch.testing.assert_close(itc_loss(rgb, depth, T)[0], itc_loss(depth, rgb, T)[0])


def test_identical_orthogonal_features_are_the_minimum() -> None:
    own = torch.eye(5, 16).requires_grad_()
    least, seen = itc_loss(own, own.detach(), T)
    assert seen["accuracy"] == 1
    assert least < 1e-4
    random = torch.Generator().manual_seed(1)
    for _ in range(5):
        moved = own.detach() + 0.3 * torch.randn(own.shape, generator=random)
        assert itc_loss(moved, own.detach(), T)[0] > least


def test_images_of_one_group_are_no_negatives() -> None:
    rgb, depth = features(4)
    groups = torch.tensor([3, 3, -1, -1])
    logits = (F.normalize(rgb, dim=1) @ F.normalize(depth, dim=1).T / T).double()
    logits[0, 1] = logits[1, 0] = -torch.inf
    labels = torch.arange(4)
    expected = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
    loss, seen = itc_loss(rgb, depth, T, groups)
    assert float(loss) == pytest.approx(float(expected), abs=1e-6)
    assert seen["negatives"] == 2.5


def test_images_of_one_group_can_be_positives_of_each_other() -> None:
    """One text for two images: the target is spread over both, in rows and in columns."""
    rgb, depth = features(4)
    groups = torch.tensor([3, 3, -1, -1])
    logits = (F.normalize(rgb, dim=1) @ F.normalize(depth, dim=1).T / T).double()
    targets = torch.eye(4, dtype=torch.float64)
    targets[:2, :2] = 0.5
    expected = (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2
    loss, _ = itc_loss(rgb, depth, T, groups, positives="group")
    assert float(loss) == pytest.approx(float(expected), abs=1e-6)
    assert torch.equal(itc_losses(rgb, depth, T, groups, positives="group").mean(), loss)
    with pytest.raises(UsageError, match='no positives "all"; they are own, group'):
        itc_loss(rgb, depth, T, positives="all")


@pytest.mark.parametrize("groups", [None, torch.zeros(4, dtype=torch.long)], ids=["one image", "one group"])
def test_without_negatives_the_loss_is_zero_and_says_so(groups: torch.Tensor | None) -> None:
    rgb, depth = (x.requires_grad_() for x in features(1 if groups is None else 4))
    loss, seen = itc_loss(rgb, depth, T, groups)
    loss.backward()
    assert (float(loss.detach()), float(seen["negatives"])) == (0, 0)
    assert torch.isfinite(rgb.grad).all()


def test_embeddings_of_other_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"embeddings are \(2, 3\) and \(3, 3\)"):
        itc_loss(torch.rand(2, 3), torch.rand(3, 3), T)


def test_the_temperature_stays_in_its_range_and_can_come_back() -> None:
    itc = ITC({"rgb": 4, "depth": 4})
    for value, kept in ((-100.0, 0.01), (100.0, 0.5)):
        torch.nn.init.constant_(itc.learned.log, value)
        assert float(itc.temperature.detach()) == pytest.approx(kept)
        itc(torch.rand(3, 4, 2, 2), torch.rand(3, 4, 2, 2))[0].backward()
        assert itc.learned.log.grad.abs() > 0


def test_mask_pooling_looks_at_the_object_alone() -> None:
    itc = ITC({"rgb": 3, "depth": 3}, pool="mask")
    feature, mask = torch.rand(2, 3, 4, 4), torch.zeros(2, 1, 8, 8)
    mask[:, :, :4, :4] = 1
    other = feature.clone()
    other[:, :, 2:] = 7
    torch.testing.assert_close(itc.embed("rgb", feature, mask), itc.embed("rgb", other, mask))
    empty = torch.zeros_like(mask)
    assert torch.isfinite(itc.embed("rgb", feature, empty)).all()
    with pytest.raises(UsageError, match='pool "mask" needs the masks'):
        itc.embed("rgb", feature)
    with pytest.raises(UsageError, match='pool "max": expected gap, mask, attn'):
        ITC({"rgb": 3, "depth": 3}, pool="max")


def test_the_queue_is_a_ring() -> None:
    queue = FeatureQueue(5, 2)
    for first in (0, 3, 6):
        ids = torch.arange(first, first + 3)
        queue.push(ids[:, None].expand(3, 2).float(), -ids[:, None].expand(3, 2).float(), ids)
    assert queue.ids.tolist() == [5, 6, 7, 8, 4]
    assert queue.rgb[:, 0].tolist() == [5, 6, 7, 8, 4]
    assert queue.depth[:, 1].tolist() == [-5, -6, -7, -8, -4]
    many = torch.arange(100, 112)
    queue.push(torch.zeros(12, 2), torch.zeros(12, 2), many)
    assert sorted(queue.ids.tolist()) == [107, 108, 109, 110, 111]
    queue.push(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([200]))
    assert sorted(queue.ids.tolist()) == [108, 109, 110, 111, 200], "the oldest one went"


def test_an_empty_queue_leaves_the_loss_of_the_batch() -> None:
    rgb, depth = features()
    queue, ids = FeatureQueue(4, 16), torch.arange(6)
    loss, _ = queue_itc_loss(rgb, depth, rgb, depth, queue, T, ids)
    torch.testing.assert_close(loss, itc_loss(rgb, depth, T)[0])


def test_the_queue_is_more_negatives_but_never_the_image_itself_or_its_group() -> None:
    rgb, depth = features(3)
    ids, groups = torch.tensor([1, 2, 3]), torch.tensor([-1, 8, -1])
    queue = FeatureQueue(3, 16)
    alone = queue_itc_loss(rgb, depth, rgb, depth, queue, T, ids, groups)[0]
    queue.push(depth[:1], rgb[:1], torch.tensor([1]))
    assert queue.blocked(ids, groups).tolist() == [[True, True, True], [False, True, True], [False, True, True]]
    queue.push(*features(1, seed=5), torch.tensor([9]), torch.tensor([8]))
    assert queue.blocked(ids, groups)[:, 1].tolist() == [False, True, False]
    loss, seen = queue_itc_loss(rgb, depth, rgb, depth, queue, T, ids, groups)
    assert loss > alone
    assert float(seen["negatives"]) == pytest.approx(2 + (1 + 1 + 2) / 3)


def test_soft_targets_are_a_mixture_with_the_slow_copys_similarities() -> None:
    rgb, depth = features()
    slow_rgb, slow_depth = features(seed=3)
    queue, ids = FeatureQueue(2, 16), torch.arange(6)
    rgb, depth, slow_rgb, slow_depth = (F.normalize(x, dim=1) for x in (rgb, depth, slow_rgb, slow_depth))
    expected = 0
    for query, slow, keys in ((rgb, slow_rgb, slow_depth), (depth, slow_depth, slow_rgb)):
        target = 0.4 * (slow @ keys.T / T).softmax(1) + 0.6 * torch.eye(6)
        expected += F.cross_entropy(query @ keys.T / T, target) / 2
    loss, _ = queue_itc_loss(rgb, depth, slow_rgb, slow_depth, queue, T, ids, distill=0.4)
    torch.testing.assert_close(loss, expected)


def test_the_copy_follows_slowly_and_is_not_trained() -> None:
    source = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    copy = MomentumCopy(source, 0.9)
    before = copy.module[0].weight.clone()
    with torch.no_grad():
        source[0].weight += 1
        source[1].running_mean += 5
    copy.update(source)
    torch.testing.assert_close(copy.module[0].weight, before + 0.1)
    torch.testing.assert_close(copy.module[1].running_mean, source[1].running_mean)
    assert not any(value.requires_grad for value in copy.parameters())
    with pytest.raises(UsageError, match="momentum 1: a share that stays"):
        MomentumCopy(source, 1.0)


def test_dense_contrast_finds_the_same_place() -> None:
    place = torch.eye(36).reshape(1, 36, 6, 6).expand(2, -1, -1, -1)
    image = torch.eye(2)[:, :, None, None].expand(-1, -1, 6, 6)
    own = torch.cat([place, image], 1)
    random = torch.Generator().manual_seed(0)
    same, seen = dense_itc_loss(own, own, T, generator=random)
    assert seen["accuracy"] == 1
    shifted, near = dense_itc_loss(own, own.roll(1, 3), T, generator=random)
    assert near["accuracy"] > 0.8, "one place off is forgiven, but for the column that was carried round"
    far, lost = dense_itc_loss(own, own.roll(3, 3), T, generator=random)
    assert same < shifted < far
    assert lost["accuracy"] < 0.2
    assert consistency_map(own, own).abs().max() < 1e-6
    assert consistency_map(own, own.roll(3, 3)).shape == (2, 1, 6, 6)


def test_dense_negatives_are_far_away_or_of_another_group() -> None:
    """Of one row of three places only the ends are further apart than 1."""
    x = torch.rand(2, 4, 1, 3)
    random = torch.Generator().manual_seed(0)
    settings = {"generator": random, "near": 0, "groups": torch.tensor([5, 5])}
    assert float(dense_itc_loss(x, x, T, far=2, **settings)[0]) == 0, "no negatives in the image, none in the group"
    rows = F.normalize(x, dim=1).squeeze(2)
    expected = []
    for image in rows:
        similarity = image.T @ image / T
        ends = [torch.stack([similarity[i, i], similarity[i, 2 - i]]) for i in (0, 2)]
        expected += [-e.log_softmax(0)[0] for e in ends] + [torch.tensor(0.0)]
    loss = dense_itc_loss(x, x, T, far=1, **settings)[0]
    assert float(loss) == pytest.approx(float(torch.stack(expected).mean()), abs=1e-5)


@pytest.mark.parametrize("count", [1, 3])
def test_all_is_finite_in_half_precision(count: int) -> None:
    maps = [(1000 * torch.randn(count, 8, 4, 4)).requires_grad_() for _ in range(2)]
    random = torch.Generator().manual_seed(0)
    with torch.autocast("cpu", torch.float16):
        half = [x.half() for x in maps]
        losses = [ITC({"rgb": 8, "depth": 8}, pool=pool)(*half, mask=torch.zeros(count, 1, 8, 8))[0]
                  for pool in ("gap", "mask", "attn")]  # fmt: skip
        losses.append(DenseITC({"rgb": 8, "depth": 8})(*half, random, torch.zeros(count, dtype=torch.long))[0])
    assert all(loss.dtype == torch.float32 and torch.isfinite(loss) for loss in losses)
    sum(losses).backward()
    assert all(torch.isfinite(x.grad).all() for x in maps)
