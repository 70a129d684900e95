"""A dual encoder with a text for each class is a classifier: the thing that attacks see."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from rgbdsod.clip.bank import TextBank
from rgbdsod.clip.encoder import ClipModel
from rgbdsod.defenses.zero_shot.contrast import class_logits
from rgbdsod.errors import UsageError


class ZeroShot(nn.Module):
    """Class scores of images: scaled cosine similarities with the prompts' features.

    The encoder resizes and normalises inside, so that a budget, its box and its steps are in pixels of the input. It
    is what `rgbdsod.attacks.ClassProblem` asks for, and every attack of that room runs on it.

    Args:
        model: its image encoder.
        bank: of the classes, from the same model.

    Raises:
        UsageError: features of another width than the model's.

    Example:
        >>> import torch
        >>> from rgbdsod.attacks import Budget, ClassProblem, pgd
        >>> from rgbdsod.clip import TextBank, ZeroShot, load_clip
        >>> model = load_clip(device="cpu")
        >>> zero_shot = ZeroShot(model, TextBank(model, ["a red circle", "a blue star"]))
        >>> x = {"image": torch.rand(2, 3, 32, 32)}
        >>> result = pgd(ClassProblem(zero_shot, torch.tensor([0, 1])), x, {"image": Budget(eps=8 / 255)}, steps=2)
        >>> result.inputs["image"].shape
        torch.Size([2, 3, 32, 32])
    """

    inputs = ("image",)
    features: Tensor

    def __init__(self, model: ClipModel, bank: TextBank) -> None:
        super().__init__()
        if bank.features.shape[1] != model.width:
            raise UsageError(
                f"text features are {bank.features.shape[1]} wide, but {model.name} embeds in {model.width}; "
                "make the TextBank with the same model"
            )
        self.model = model
        self.name = model.name
        self.register_buffer("features", bank.features, persistent=False)

    def forward(self, image: Tensor | Mapping[str, Tensor]) -> Tensor:
        """Logits (B,C), float32.

        Args:
            image: (B,3,H,W) in [0, 1], of any size; or the mapping of inputs that attacks pass, {"image": ...}.
        """
        pixels = image if isinstance(image, Tensor) else image["image"]
        return class_logits(self.model.embed(pixels), self.features, self.model.scale)

    @torch.no_grad()
    def predict(self, image: Tensor) -> Tensor:
        """The most similar class of each image, int64 (B,)."""
        return self.forward(image).argmax(1)
