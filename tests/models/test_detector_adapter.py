"""torchvision's detectors through the adapter: losses, candidates, detections, and a network left as it was."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from detector_cases import EMPTY, TARGETS, images, objects, state_of
from torch import Tensor, nn

from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.models import DETECTORS, TorchvisionDetector, load_detector
from rgbdsod.models.detectors.tiny import tiny_fcos
from rgbdsod.types import Objects

FASTER = "fasterrcnn_mobilenet_v3_large_320_fpn"
NAMES = ("fcos.tiny", "ssdlite320_mobilenet_v3_large", FASTER)
BUILDERS = [row.name for row in DETECTORS if row.family != "decoded" and not row.weights]


@pytest.fixture(scope="module", params=NAMES)
def detector(request: pytest.FixtureRequest) -> Iterator[Any]:
    options: dict[str, Any] = {} if request.param == "fcos.tiny" else {"classes": ["a", "b", "c"]}
    if request.param == FASTER:
        options["size"] = 96
    made = load_detector(request.param, weights="random", **options)
    if request.param == FASTER:  # thousands of proposals would test nothing more
        made.network.rpn._pre_nms_top_n = made.network.rpn._post_nms_top_n = {"training": 60, "testing": 60}
    yield made


def mix(network: nn.Module) -> None:
    """Leave the network in a mode of every kind."""
    network.train()
    for place, part in enumerate(network.modules()):
        part.training = place % 3 == 0


def loss_gradient(detector: Any, pixels: Tensor, targets: list[Objects] = TARGETS) -> tuple[Tensor, Tensor]:
    leaf = pixels.clone().requires_grad_()
    losses = detector.losses(leaf, targets)
    return losses.detach(), torch.autograd.grad(losses.sum(), leaf)[0]


def test_nothing_changes_a_network_in_a_mixed_mode(detector: Any) -> None:
    own = {part: part.training for part in detector.network.modules()}
    mix(detector.network)
    before = state_of(detector.network)
    loss_gradient(detector, images())
    detector.candidates(images())
    detector.look(images()).detections(0.0)
    assert state_of(detector.network) == before
    for part, flag in own.items():
        part.training = flag


def test_nothing_changes_after_an_exception(detector: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state_of(detector.network)
    threshold = getattr(detector.network, "score_thresh", None) or detector.network.roi_heads.score_thresh
    broken = objects([[5, 5, 5, 9]], [0])
    with pytest.raises(UsageError, match=r"\[5, 5, 5, 9\] has no width or no height"):
        detector.losses(images(), [broken, EMPTY])
    holder = getattr(detector.network, "roi_heads", detector.network)

    def fail(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(holder, "postprocess_detections", fail)
    with pytest.raises(RuntimeError, match="broken"):
        detector.look(images()).detections(0.0)
    monkeypatch.undo()
    assert state_of(detector.network) == before
    assert holder.score_thresh == threshold


def test_an_image_does_not_depend_on_its_neighbours_nor_the_call(detector: Any) -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    losses, gradient = loss_gradient(detector, images())
    assert torch.equal(torch.get_rng_state(), state), "the global generator was left elsewhere"
    again, _ = loss_gradient(detector, images())
    assert torch.equal(losses, again)
    alone = torch.cat([detector.losses(images()[row : row + 1], TARGETS[row : row + 1]) for row in range(2)])
    torch.testing.assert_close(losses, alone.detach(), rtol=1e-4, atol=1e-4)
    assert gradient.abs().sum() > 1e-2


def test_scores_and_boxes_have_gradients_in_eval_mode(detector: Any) -> None:
    pixels = images().requires_grad_()
    for found in detector.look(pixels).detections(0.0):
        assert len(found.scores)
        assert (found.scores[:-1] >= found.scores[1:]).all()
        for part in (found.scores.sum(), found.boxes.sum()):
            (gradient,) = torch.autograd.grad(part, pixels, retain_graph=True)
            assert gradient.abs().sum() > 0
    for one in detector.candidates(images()):
        assert one.scores.shape[1] == 3
        assert one.boxes.shape[1] in (1, 3)


def reference_losses(network: nn.Module, pixels: Tensor, numbers: list[Tensor]) -> Tensor:
    """The specification's own recipe: training mode, BatchNorm and Dropout in eval."""
    network.train()
    for part in network.modules():
        if isinstance(part, (nn.BatchNorm2d, nn.Dropout)):
            part.eval()
    network.transform.eval()  # there is one size to choose from, but choosing takes a random number
    found = []
    for image, target, labels in zip(pixels, TARGETS, numbers, strict=True):
        torch.manual_seed(0)
        losses = network([image], [{"boxes": target.boxes, "labels": labels}])
        found.append(torch.stack(list(losses.values())).sum())
    network.eval()
    return torch.stack(found)


def test_losses_are_those_of_torchvision_in_training_mode(detector: Any) -> None:
    first = 0 if detector.name == "fcos.tiny" else 1
    wanted = reference_losses(detector.network, images(), [target.labels + first for target in TARGETS])
    torch.testing.assert_close(detector.losses(images(), TARGETS), wanted, rtol=1e-4, atol=1e-4)


def test_detections_are_those_of_torchvision(detector: Any) -> None:
    first = 0 if detector.name == "fcos.tiny" else 1
    with torch.no_grad():
        wanted = detector.network(list(images()))
        found = detector.look(images()).detections()
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.scores, other["scores"], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(one.boxes, other["boxes"], rtol=1e-3, atol=1e-2)
        assert torch.equal(one.labels, other["labels"] - first)


def test_candidates_give_the_scores_of_the_detections() -> None:
    """The best FCOS detection's class logit is a candidate's, on the same box."""
    detector = load_detector("fcos.tiny", weights="random")
    with torch.no_grad():
        (one,) = detector.candidates(images(1))
        found = detector.look(images(1)).detections(0.0)[0]
    scores, boxes = one.of(int(found.labels[0]))
    place = (boxes.clamp(0, 64) - found.boxes[0]).abs().sum(1).argmin()
    torch.testing.assert_close(boxes[place].clamp(0, 64), found.boxes[0], rtol=1e-3, atol=1e-2)
    assert scores[place].sigmoid().sqrt() >= found.scores[0] - 1e-5


def test_empty_images_have_a_loss_but_not_for_ssd() -> None:
    assert float(load_detector("fcos.tiny", weights="random").losses(images(1), [EMPTY])) > 0
    ssd = load_detector("ssdlite320_mobilenet_v3_large", weights="random", classes=["a"])
    assert float(ssd.losses(images(1), [EMPTY])) == 0
    assert not ssd.learns_from_empty


def test_weights_come_from_a_file_and_random_ones_must_be_asked_for(tmp_path: Any) -> None:
    with pytest.raises(WeightsError, match=r'has no built-in weights; pass the file .* weights="random"'):
        load_detector(FASTER)
    made = tiny_fcos(["x", "y"])
    torch.save(made.network.state_dict(), tmp_path / "tiny.pth")
    loaded = load_detector("fcos.tiny", weights=tmp_path / "tiny.pth", classes=["x", "y"])
    assert loaded.classes == ("x", "y")
    assert "tiny.pth sha256:" in loaded.weights
    with pytest.raises(WeightsError, match=r"does not fit fcos.tiny: .* have another shape .* classes="):
        load_detector("fcos.tiny", weights=tmp_path / "tiny.pth")
    (tmp_path / "tiny-0123abcd.pth").write_bytes((tmp_path / "tiny.pth").read_bytes())
    with pytest.raises(WeightsError, match=r"its name promises sha256 0123abcd..., it has .* download it again"):
        load_detector("fcos.tiny", weights=tmp_path / "tiny-0123abcd.pth", classes=["x", "y"])
    with pytest.raises(UsageError, match=r'did you mean "fcos.tiny"'):
        load_detector("fcos.tny")
    with pytest.raises(UsageError, match="one size only"):
        load_detector("fcos.tiny", size=320)


def test_class_numbers_must_match_the_classes() -> None:
    with pytest.raises(UsageError, match="1 class numbers for 2 classes"):
        TorchvisionDetector(nn.Identity(), ["a", "b"], family="fcos", numbers=[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILDERS)
def test_every_builder_keeps_its_network(name: str) -> None:
    """All twelve: losses, candidates and detections, with nothing changed."""
    detector = load_detector(name, weights="random", size=160 if DETECTORS[name].sizable else None)
    before = state_of(detector.network)
    targets = TARGETS if len(detector.classes) > 1 else [t._replace(labels=t.labels * 0) for t in TARGETS]
    losses, gradient = loss_gradient(detector, images(side=128), targets)
    assert losses.shape == (2,)
    assert gradient.abs().sum() > 0
    assert len(detector.detect(images(side=128))) == 2
    assert state_of(detector.network) == before
    assert len(detector.classes) == (1 if name.startswith("keypoint") else 80)
