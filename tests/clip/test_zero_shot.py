"""Zero-shot classification in pixel space: scores, resizing, attack spaces, and attacks by the common core."""

import socket

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rgbdsod.attacks import Budget, ClassProblem, apgd, pgd
from rgbdsod.clip import ClipModel, TextBank, ZeroShot, load_clip, pixels
from rgbdsod.clip.encoder import NORMALIZATIONS
from rgbdsod.datasets import glyph_set
from rgbdsod.datasets.zero_shot.labelled import ArraySet
from rgbdsod.defenses import class_logits
from rgbdsod.errors import UsageError

EIGHT = {"image": Budget(eps=8 / 255)}


class Flat(ClipModel):
    """The embedding is the mean colour; the features of a text are three numbers that it spells out."""

    def __init__(self, side: int = 8) -> None:
        super().__init__(name="flat", width=3, side=side, grid=(1, 1), activation="gelu", has_tokens=False)
        self.weight = nn.Parameter(torch.eye(3))
        self.scale = 10.0

    def encode_image(self, prepared: Tensor) -> Tensor:
        return prepared.mean((2, 3)) @ self.weight

    def encode_text(self, texts) -> Tensor:
        return torch.tensor([[float(number) for number in text.split()] for text in texts])

    @property
    def visual(self) -> nn.Module:
        return nn.Module()


@pytest.fixture(scope="module")
def model() -> ClipModel:
    return load_clip(device="cpu")


@pytest.fixture(scope="module")
def tuning(model) -> tuple[ZeroShot, Tensor, Tensor]:
    data = glyph_set("tuning", 64)
    zero_shot = ZeroShot(model, TextBank(model, data.prompts))
    return zero_shot, pixels(data, range(64), side=model.side), torch.from_numpy(data.labels)


def test_scores_of_features_made_by_hand():
    embedding = torch.tensor([[3.0, 4.0], [0.0, -2.0]])
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    expected = 100 * torch.tensor([[0.6, 0.8, 1.0], [0.0, -1.0, -0.8]])
    assert torch.allclose(class_logits(embedding, features, 100.0), expected)
    assert class_logits(embedding.double(), features, 100.0).dtype == torch.float64
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(class_logits(embedding, features, 100.0), class_logits(embedding, features, 100.0).float())
        assert torch.allclose(class_logits(embedding, features, 100.0), expected)


def test_a_pipeline_of_numbers_made_by_hand():
    model = Flat()
    zero_shot = ZeroShot(model, TextBank(model, ["1 0 0", "0 2 0", "0 1 1"]))
    x = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(colour)[:, None, None] for colour in NORMALIZATIONS["clip"])
    unit = F.normalize(((x - mean) / std).mean((2, 3)), dim=1)
    texts = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0.5**0.5, 0.5**0.5]])
    assert torch.allclose(zero_shot(x), 10 * unit @ texts.T, atol=1e-5)
    assert torch.equal(zero_shot(image=x), zero_shot({"image": x}))
    assert torch.equal(zero_shot.predict(x), zero_shot(x).argmax(1))
    assert list(zero_shot.state_dict()) == ["model.weight"], "text features are not part of the weights"


def test_images_are_enlarged_bicubic_unless_they_fit():
    model = Flat(side=8)
    small = torch.rand(2, 3, 5, 6)
    mean, std = (torch.tensor(colour)[:, None, None] for colour in NORMALIZATIONS["clip"])
    wanted = F.interpolate(small, (8, 8), mode="bicubic", align_corners=False, antialias=False)
    assert torch.equal(model.prepare(small), (wanted - mean) / std)
    large = torch.rand(1, 3, 20, 9)
    wanted = F.interpolate(large, (8, 8), mode="bicubic", align_corners=False, antialias=False)
    assert torch.equal(model.prepare(large), (wanted - mean) / std)


def test_images_of_the_right_size_are_not_resized(monkeypatch):
    model, x = Flat(side=8), torch.rand(1, 3, 8, 8)
    wanted = model.prepare(x)
    monkeypatch.setattr(F, "interpolate", lambda *_, **__: pytest.fail("resized"))
    assert torch.equal(model.prepare(x), wanted)


def _set(size, count=3) -> ArraySet:
    images = np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)
    return ArraySet("set", images, [0] * count, ["a"])


def test_native_space_keeps_small_images_and_model_space_enlarges_them():
    from PIL import Image

    data = _set((8, 8))
    native = pixels(data, [0, 2], side=12)
    assert native.shape == (2, 3, 8, 8) and native.dtype == torch.float32
    assert torch.equal(native[1], torch.from_numpy(data.images[2]).permute(2, 0, 1) / 255)
    enlarged = np.asarray(Image.fromarray(data.images[0]).resize((12, 12), Image.Resampling.BILINEAR))
    model = pixels(data, [0, 2], side=12, space="model")
    assert torch.equal(model[0], torch.from_numpy(enlarged.copy()).permute(2, 0, 1) / 255)
    for space in ("native", "model"):
        assert torch.equal(pixels(data, [0], side=8, space=space), pixels(data, [0], side=8))
    with pytest.raises(UsageError, match='no attack space "both"; use native or model'):
        pixels(data, [0], side=8, space="both")


@pytest.mark.parametrize("size", [(40, 60), (60, 40), (33, 33), (10, 40), (8, 9)])
def test_other_images_are_resized_and_cut(size):
    from PIL import Image

    data = _set(size)
    side = 28
    shorter = 32  # 256 / 224 of the side
    height, width = (round(length * shorter / min(size)) for length in size)
    resized = np.asarray(Image.fromarray(data.images[0]).resize((width, height), Image.Resampling.BILINEAR))
    top, left = round((height - side) / 2), round((width - side) / 2)
    expected = torch.from_numpy(resized[top : top + side, left : left + side].copy()).permute(2, 0, 1) / 255
    for space in ("native", "model"):
        found = pixels(data, [0], side=side, space=space)
        assert found.shape == (1, 3, side, side) and torch.equal(found[0], expected)


def test_a_sample_of_a_mixed_set_is_treated_like_the_set():
    data = _set((8, 8))
    data.__dict__["common_size"] = None
    assert pixels(data.select([1]), [0], side=12).shape == (1, 3, 12, 12)


def test_the_built_in_model_knows_its_world(model):
    assert (model.name, model.side, model.grid, model.width, model.activation) == ("clip.demo", 32, (4, 4), 64, "gelu")
    assert 0.16e6 < sum(weight.numel() for weight in model.parameters()) < 0.19e6
    for name in ("tuning", "pairs", "new-shapes", "shapes", "textures", "backgrounds"):
        data = glyph_set(name, 128)
        zero_shot = ZeroShot(model, TextBank(model, data.prompts))
        right = zero_shot.predict(pixels(data, range(128), side=32)) == torch.from_numpy(data.labels)
        assert right.float().mean() > 0.85, name


def test_an_undefended_model_is_broken(tuning):
    zero_shot, x, labels = tuning
    assert (zero_shot.predict(x) == labels).float().mean() > 0.9
    problem = ClassProblem(zero_shot, labels)
    result = pgd(problem, {"image": x}, EIGHT, steps=10)
    standing = zero_shot.predict(result.inputs["image"]) == labels
    assert standing.float().mean() < 0.15
    assert torch.equal(~standing, result.fooled)
    assert (result.inputs["image"] - x).abs().max() <= 8 / 255 + 1e-6
    assert result.inputs["image"].min() >= 0 and result.inputs["image"].max() <= 1
    assert all(weight.grad is None for weight in zero_shot.parameters())


def test_batch_size_changes_nothing(tuning):
    zero_shot, x, labels = (part[:32] if isinstance(part, Tensor) else part for part in tuning)
    names = [f"image {number}" for number in range(32)]
    found = {}
    for size in (32, 8, 1):
        parts = []
        for at in range(0, 32, size):
            rows = slice(at, at + size)
            problem = ClassProblem(zero_shot, labels[rows])
            result = pgd(problem, {"image": x[rows]}, EIGHT, steps=10, sample_ids=names[rows])
            parts.append(result.inputs["image"])
        found[size] = torch.cat(parts)
    assert torch.equal(found[32], found[8]) and torch.equal(found[32], found[1])


def test_logits_and_gradients_do_not_depend_on_the_batch(tuning):
    zero_shot, x, _ = tuning
    x = x[:32].clone().requires_grad_()
    logits = zero_shot(x)
    gradient = torch.autograd.grad(logits.sin().sum(), x)[0]
    for size in (16, 7, 3, 1):
        alone = torch.cat([zero_shot(part) for part in x.split(size)])
        assert torch.equal(alone, logits)
        assert torch.equal(torch.autograd.grad(alone.sin().sum(), x)[0], gradient)


def test_native_images_are_attacked_in_their_own_pixels(model):
    data = glyph_set("shapes", 4)
    small = ArraySet("small", np.ascontiguousarray(data.images[:, ::2, ::2]), data.labels, data.class_names)
    x = pixels(small, range(4), side=model.side)
    problem = ClassProblem(ZeroShot(model, TextBank(model, data.prompts)), torch.from_numpy(data.labels))
    for attack in (pgd, apgd):
        result = attack(problem, {"image": x}, EIGHT, steps=3)
        assert result.inputs["image"].shape == (4, 3, 16, 16)
        assert (result.inputs["image"] - x).abs().max() <= 8 / 255 + 1e-6


def test_nothing_is_fetched(monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was used"))
    model = load_clip(device="cpu")
    zero_shot = ZeroShot(model, TextBank(model, ["a red circle", "a blue star"]))
    assert zero_shot.predict(torch.rand(1, 3, 32, 32)).shape == (1,)


def test_what_is_refused(model):
    bank = TextBank(Flat(), ["1 0 0"])
    with pytest.raises(UsageError, match="text features are 3 wide"):
        ZeroShot(model, bank)
    zero_shot = ZeroShot(model, TextBank(model, ["a circle", "a star"]))
    with pytest.raises(UsageError, match="repeat a grey image's channel three times"):
        zero_shot(torch.rand(1, 1, 32, 32))
    with pytest.raises(UsageError, match="drop the alpha channel"):
        zero_shot(torch.rand(1, 4, 32, 32))
    with pytest.raises(UsageError, match="divide 8-bit images by 255"):
        zero_shot(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
