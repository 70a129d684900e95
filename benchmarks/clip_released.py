"""Training and attack steps in the pass structure of the released projects, for comparison alone.

What they have in common: texts are encoded in every forward pass, with a graph; attack steps go back to all weights;
the original model's part of a loss is computed with a graph in every step. Two things are not re-created, so that both
sides compute the same: gradients that attack steps leave in the weights are cleared, and attack losses differ from ours
by a factor alone.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.clip import ClipModel, OpenClipModel

LEAST_EQUAL = 0.999
"""Share of attacked pixels that must be equal on both sides."""


@dataclass(frozen=True, eq=False)
class Released:
    """The steps.

    Args:
        model: in training, all of its weights with gradients.
        original: likewise, though nothing is learned there.
        texts: one for each class.
        eps: radius and step of the attack.
        steps: of the attack.
        moved: attacked images of the other side, which take the place of those of `attack` once it has run: both go on
            from the same ones, though the sign of a gradient that is almost 0 is a matter of rounding.
    """

    model: ClipModel
    original: ClipModel
    texts: Sequence[str]
    eps: float
    steps: int
    moved: Tensor | None = None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """All weights with gradients, as long as this lasts."""
        for model in (self.model, self.original):
            model.requires_grad_(True)
            model.zero_grad(set_to_none=True)
        try:
            yield
        finally:
            for model in (self.model, self.original):
                model.requires_grad_(False)
            self.model.visual.requires_grad_(True)

    def attack(self, image: Tensor, labels: Tensor, start: Tensor) -> Tensor:
        """Attacked images; each step encodes the texts and goes back to all weights."""
        delta = start - image
        for _ in range(self.steps):
            delta = delta.detach().requires_grad_()
            loss = F.cross_entropy(self._logits(self.model, image + delta), labels)
            loss.backward()
            delta = self._moved(image, delta.detach(), delta.grad)
        self.model.zero_grad(set_to_none=True)
        return self._exchanged((image + delta).detach())

    def tecoa(self, image: Tensor, labels: Tensor, start: Tensor) -> Tensor:
        """The loss of a step, after its backward pass."""
        moved = self.attack(image, labels, start)
        return self._back(F.cross_entropy(self._logits(self.model, moved), labels))

    def pmg_aft(self, image: Tensor, labels: Tensor, start: Tensor) -> Tensor:
        """Three forward passes with texts, one of them in the original model with a graph."""
        moved = self.attack(image, labels, start)
        attacked = self._logits(self.model, moved)
        clean = self._logits(self.model, image)
        guide = self._logits(self.original, moved)
        general = F.kl_div(attacked.log_softmax(1), guide.softmax(1), reduction="batchmean")
        consistent = F.kl_div(attacked.log_softmax(1), clean.softmax(1), reduction="batchmean")
        return self._back(F.cross_entropy(attacked, labels) + general + consistent)

    def tga_zsr(self, image: Tensor, labels: Tensor, start: Tensor) -> Tensor:
        """The attacked images are encoded twice, the clean ones in both models; maps are built at 224 x 224."""
        moved = self.attack(image, labels, start)
        with torch.no_grad():
            texts = F.normalize(self._encoded_texts(self.model), dim=1)
        features = F.normalize(self.model.embed(moved), dim=1)
        loss = F.cross_entropy(self.model.scale * features @ texts.T, labels)
        kept = self._maps(self.original, image, texts[labels])
        refinement = (self._maps(self.model, moved, texts[labels]) - kept).flatten(1).norm(dim=1).mean()
        constraint = (self._maps(self.model, image, texts[labels]) - kept).flatten(1).norm(dim=1).mean()
        return self._back(loss + 0.08 * refinement + 0.05 * constraint)

    def fare(self, image: Tensor, labels: Tensor, start: Tensor) -> Tensor:
        """The attack goes back to the images alone; an original embedding in each step, and a clean one for the log."""
        with torch.no_grad():
            kept = self.original.embed(image)
        delta = start - image
        for _ in range(self.steps):
            delta = delta.detach().requires_grad_()
            loss = (self.model.embed(image + delta) - kept).square().sum(1).mean()
            (slope,) = torch.autograd.grad(loss, delta)
            delta = self._moved(image, delta.detach(), slope)
        moved = self._exchanged((image + delta).detach())
        loss = (self.model.embed(moved) - kept).square().sum(1).mean()
        logged = (self.model.embed(image) - kept).square().sum(1).mean()  # its graph is there until the end of the step
        return self._back(loss) + 0 * logged.detach()

    def evaluate(self, image: Tensor, labels: Tensor, start: Tensor) -> Tensor:
        """Which images are right before and after the attack: all are attacked, and all steps are taken."""
        with torch.no_grad():
            right = self._logits(self.model, image).argmax(1) == labels
        moved = self.attack(image, labels, start)
        with torch.no_grad():
            return right & (self._logits(self.model, moved).argmax(1) == labels)

    def _logits(self, model: ClipModel, image: Tensor) -> Tensor:
        texts = F.normalize(self._encoded_texts(model), dim=1)
        return model.scale * F.normalize(model.embed(image), dim=1) @ texts.T

    def _encoded_texts(self, model: ClipModel) -> Tensor:
        """With a graph, unlike `ClipModel.encode_text`."""
        network = model.network
        if isinstance(model, OpenClipModel):
            return network.encode_text(model.tokenizer(list(self.texts)).to(model.device))
        return network.text(self.texts)

    def _maps(self, model: ClipModel, image: Tensor, texts: Tensor) -> Tensor:
        embedding, patches = model.embed_tokens(image)
        tokens = torch.cat([embedding[:, None], patches], 1)
        tokens = tokens / tokens.norm(dim=1, keepdim=True)
        raw = (tokens[:, 1:] * texts[:, None]).sum(2)
        low, high = raw.amin(1, keepdim=True), raw.amax(1, keepdim=True)
        maps = ((raw - low) / (high - low)).view(-1, 1, *model.grid)
        return F.interpolate(maps, (224, 224), mode="bilinear", align_corners=False)

    def _exchanged(self, moved: Tensor) -> Tensor:
        if self.moved is None:
            return moved
        if (same := float((moved == self.moved).float().mean())) < LEAST_EQUAL:
            raise SystemExit(f"only {same:.2%} of the attacked pixels are equal on both sides")
        return self.moved

    def _moved(self, image: Tensor, delta: Tensor, slope: Tensor | None) -> Tensor:
        assert slope is not None
        delta = (delta + self.eps * slope.sign()).clamp(-self.eps, self.eps)
        return (image + delta).clamp(0, 1) - image

    def _back(self, loss: Tensor) -> Tensor:
        loss.backward()
        return loss.detach()
