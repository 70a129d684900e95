"""TeCoA with a clean term and consistent features; not the paper's method."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from rgbdsod.defenses.zero_shot.distances import squared_distance
from rgbdsod.defenses.zero_shot.methods.base import embed_both, summed
from rgbdsod.defenses.zero_shot.methods.tecoa import Contrastive
from rgbdsod.defenses.zero_shot.parts import Parts, TuningBatch
from rgbdsod.defenses.zero_shot.settings import check_weights


@dataclass(frozen=True)
class TecoaLambda(Contrastive):
    """Clean and attacked images against texts, and their features against each other.

    Args:
        clip_loss, multi_positive: see `Contrastive`.
        clean: weight of the loss on clean images.
        lam: weight lambda of that on attacked images.
        mu: weight of the squared distance between the features of the two.
        feat_norm: whether that distance is between unit vectors.
    """

    name: ClassVar[str] = "tecoa-lambda"
    clean: float = 1.0
    lam: float = 1.0
    mu: float = 0.5
    feat_norm: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(clean=self.clean, lam=self.lam, mu=self.mu)

    def attack_loss(self, parts: Parts, image: Tensor, batch: TuningBatch) -> Tensor:
        """The loss against texts; with "itc" a sample's value depends on the others of its batch."""
        return self.compare(parts, parts.encoder.embed(image), self.texts(parts, batch), batch)

    def loss(self, parts: Parts, batch: TuningBatch, moved: Tensor) -> dict[str, Tensor]:
        """Terms "clean", "adversarial" and "features"; a term of weight 0 is left out, and the pass it needs."""
        texts = self.texts(parts, batch)
        if not self.clean and not self.mu:
            adversarial = self.compare(parts, parts.encoder.embed(moved), texts, batch).mean()
            return {"total": summed((self.lam, adversarial)), "adversarial": adversarial}
        own, attacked = embed_both(parts.encoder, batch, moved)
        terms = {
            "clean": (self.clean, self.compare(parts, own, texts, batch).mean()),
            "adversarial": (self.lam, self.compare(parts, attacked, texts, batch).mean()),
            "features": (self.mu, squared_distance(own, attacked, normalize=self.feat_norm).mean()),
        }
        used = {name: term for name, term in terms.items() if term[0]}
        return {"total": summed(*used.values()), **{name: term for name, (_, term) in used.items()}}
