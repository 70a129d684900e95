"""How a model in tuning does on the held-out part of its tuning set: clean, and attacked."""

from dataclasses import dataclass

import torch

from rgbdsod.attacks import Budget, ClassProblem, pgd
from rgbdsod.clip import ClipModel, TextBank, ZeroShot, pixels
from rgbdsod.clip.space import AttackSpace
from rgbdsod.datasets.zero_shot.labelled import ImageSet
from rgbdsod.defenses.zero_shot.inner import InnerAttack

STEPS = 10


@dataclass(frozen=True)
class Validation:
    """The measurement that selects weights; no test set has a say.

    Args:
        data: the held-out images.
        bank: of all classes.
        attack: whose norm and radius are taken; the steps are 10 of a quarter of the radius.
        space: where the attack lives.
        batch: images at a time.
        seed: of random starts.
    """

    data: ImageSet
    bank: TextBank
    attack: InnerAttack
    space: AttackSpace
    batch: int
    seed: int

    def __call__(self, model: ClipModel) -> dict[str, float]:
        """Shares of images: "clean", "robust" (right, and broken by no point of the attack), and their mean "score"."""
        model.eval()
        zero_shot = ZeroShot(model, self.bank)
        clean = robust = 0
        for start in range(0, len(self.data), self.batch):
            positions = range(start, min(start + self.batch, len(self.data)))
            right, standing = self._count(zero_shot, positions)
            clean, robust = clean + right, robust + standing
        total = len(self.data)
        return {"clean": clean / total, "robust": robust / total, "score": (clean + robust) / (2 * total)}

    def _count(self, zero_shot: ZeroShot, positions: range) -> tuple[int, int]:
        """How many are classified rightly, and how many still are after the attack."""
        image = pixels(self.data, positions, side=zero_shot.model.side, space=self.space).to(zero_shot.model.device)
        labels = torch.from_numpy(self.data.labels[positions.start : positions.stop]).to(image.device)
        right = zero_shot.predict(image) == labels
        places = right.nonzero().flatten().tolist()
        if not places:
            return 0, 0
        result = pgd(
            ClassProblem(zero_shot, labels[right]),
            {"image": image[right]},
            {"image": Budget(norm=self.attack.norm, eps=self.attack.eps)},
            steps=STEPS,
            step_size=self.attack.eps / 4 if self.attack.norm == "linf" else None,
            seed=self.seed,
            sample_ids=[self.data.ids[positions[place]] for place in places],
            stop=True,
        )
        return len(places), int((~result.fooled).sum())
