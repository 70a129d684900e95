"""Two-stage detectors sample anchors and proposals for a loss: anew at every step, never from the global state."""

from typing import Any

import pytest
import torch
from detector_cases import TARGETS, Dots, dotted, images, objects, state_of
from torch import Tensor

from rgbdsod.attacks import Budget, pgd
from rgbdsod.errors import UsageError
from rgbdsod.models import DecodedDetector, DetectionProblem, TorchvisionDetector, load_detector

FASTER = "fasterrcnn_mobilenet_v3_large_320_fpn"
RED = objects([[16, 16, 32, 32]], [0])


@pytest.fixture(scope="module")
def two_stages() -> TorchvisionDetector:
    made: Any = load_detector(FASTER, weights="random", classes=["a", "b", "c"], size=96)
    made.network.rpn._pre_nms_top_n = made.network.rpn._post_nms_top_n = {"training": 60, "testing": 60}
    return made


def test_two_stages_draw_anew_at_every_step(two_stages: TorchvisionDetector) -> None:
    """By seed, sample and step alone; a mean over draws is what the attack follows."""
    ids = ["first", "second"]
    problem = DetectionProblem(two_stages, TARGETS, objective="untargeted", sample_ids=ids)
    before, state = state_of(two_stages.network), torch.get_rng_state()
    with torch.no_grad():
        look = problem.forward({"image": images()})
        steps = [problem.loss(look, step / 4) for step in range(3)]
        assert not torch.equal(steps[0], steps[1])
        assert not torch.equal(steps[1], steps[2])
        assert torch.equal(problem.loss(look, 0.25), steps[1]), "the same step drew something else"
        other = DetectionProblem(two_stages, TARGETS, objective="untargeted", sample_ids=ids, seed=1)
        assert not torch.equal(other.loss(look, 0.25), steps[1])
        alone = problem.select(torch.tensor([1]))
        torch.testing.assert_close(alone.loss(alone.forward({"image": images()[1:]}), 0.25), steps[1][1:])
        ranks = problem.track(look)
        assert ranks is not None
        assert torch.equal(ranks, problem.loss(look, 1.0))
    assert torch.equal(torch.get_rng_state(), state), "the global generator was left elsewhere"
    assert state_of(two_stages.network) == before


def test_an_attack_on_two_stages_can_be_repeated(two_stages: TorchvisionDetector) -> None:
    def attacked(rows: slice) -> Tensor:
        problem = DetectionProblem(two_stages, TARGETS[rows], objective="untargeted", sample_ids=["0", "1"][rows])
        result = pgd(problem, {"image": images()[rows]}, {"image": Budget(eps=0.1)}, steps=3, random_start=False)
        assert bool((result.loss >= result.start_loss).all())
        return result.loss

    both = attacked(slice(0, 2))
    assert torch.equal(attacked(slice(0, 2)), both)
    torch.testing.assert_close(attacked(slice(1, 2)), both[1:], rtol=1e-2, atol=1e-2)


def test_objectives_that_sample_nothing_rank_by_their_loss(two_stages: TorchvisionDetector) -> None:
    with torch.no_grad():
        problem = DetectionProblem(two_stages, TARGETS, objective="vanish")
        look = problem.forward({"image": images()})
        assert problem.track(look) is None
        assert torch.equal(problem.loss(look, 0.0), problem.loss(look, 0.5))
    one_stage = DetectionProblem(DecodedDetector(Dots(), Dots.classes, Dots().cells), [RED], objective="untargeted")
    assert one_stage.track(one_stage.forward({"image": dotted((1, 1, 0))})) is None
    with pytest.raises(UsageError, match="1 sample ids for 2 images"):
        DetectionProblem(two_stages, TARGETS, sample_ids=["a"])
