"""Image and text perturbed, balanced, with consistent predictions and a discriminator; not the FARE of ICML 2024."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rgbdsod.defenses.zero_shot.companion import Balancer, Companion
from rgbdsod.defenses.zero_shot.contrast import class_logits
from rgbdsod.defenses.zero_shot.discriminator import discriminator_loss, generator_loss
from rgbdsod.defenses.zero_shot.distances import kl_divergence
from rgbdsod.defenses.zero_shot.methods.base import embed_both, summed
from rgbdsod.defenses.zero_shot.methods.tecoa import Contrastive
from rgbdsod.defenses.zero_shot.parts import Parts, TuningBatch
from rgbdsod.defenses.zero_shot.settings import check_choice, check_share, check_weights
from rgbdsod.defenses.zero_shot.text_attack import moved_texts
from rgbdsod.errors import UsageError


@dataclass(frozen=True)
class FareBimodal(Contrastive):
    """The loss against texts for clean images, attacked images and attacked texts, and two regularisers.

    Args:
        clip_loss, multi_positive: see `Contrastive`.
        eta: step of the attack on texts; None: 0.25 / sqrt(D), which moves a unit vector by 0.25.
        balancer: how the share alpha of attacked images is found; attacked texts have the rest.
        alpha: the share with "fixed", in [0, 1], and with the others at the start.
        kl: weight of KL(clean || attacked) between predictions.
        detach_clean: whether the predictions for clean images are held fixed in it.
        disc: weight of the discriminator's verdict on attacked images.
        disc_lr: the discriminator's learning rate.
    """

    name: ClassVar[str] = "fare-bimodal"
    eta: float | None = None
    balancer: Balancer = "ratio"
    alpha: float = 0.5
    kl: float = 1.0
    detach_clean: bool = True
    disc: float = 0.1
    disc_lr: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("balancer", self.balancer, Balancer)
        check_share(alpha=self.alpha)
        check_weights(kl=self.kl, disc=self.disc, disc_lr=self.disc_lr, eta=self.eta or 0.0)
        if self.balancer != "fixed" and not 0 < self.alpha < 1:
            raise UsageError(f'alpha {self.alpha:g} stays there for ever; pass balancer "fixed", or alpha 0.5')

    def companion(self, width: int, seed: int) -> Companion:
        """The balancer, and the discriminator if it has a weight."""
        own = width if self.disc else None
        return Companion(self.balancer, alpha=self.alpha, width=own, rate=self.disc_lr, seed=seed)

    def attack_loss(self, parts: Parts, image: Tensor, batch: TuningBatch) -> Tensor:
        """The loss against texts; with "itc" a sample's value depends on the others of its batch."""
        return self.compare(parts, parts.encoder.embed(image), self.texts(parts, batch), batch)

    def loss(self, parts: Parts, batch: TuningBatch, moved: Tensor) -> dict[str, Tensor]:
        """Terms "clean", "image", "text", "kl", "generator"; "discriminator" is not part of the total.

        "alpha" and "discriminator_accuracy" (one half is success) are for the log.
        """
        alpha = self.alpha if parts.companion is None else parts.companion.alpha
        texts = self.texts(parts, batch)
        own, attacked = embed_both(parts.encoder, batch, moved)
        terms = {
            "clean": (1.0, self.compare(parts, own, texts, batch).mean()),
            "image": (alpha, self.compare(parts, attacked, texts, batch).mean()),
        }
        if alpha < 1:
            moved_to = self._moved_texts(parts, own, texts, batch)
            terms["text"] = (1 - alpha, self.compare(parts, own, moved_to, batch).mean())
        if self.kl:
            terms["kl"] = (self.kl, self._consistency(parts, own, attacked, batch))
        losses = {"alpha": torch.as_tensor(alpha)}
        if self.disc and parts.companion is not None and parts.companion.discriminator is not None:
            judge = parts.companion.discriminator
            terms["generator"] = (self.disc, generator_loss(judge.held(attacked)))
            verdicts = judge(own.detach()), judge(attacked.detach())
            losses["discriminator"] = discriminator_loss(*verdicts)
            right = torch.cat([verdicts[0] > 0, verdicts[1] <= 0])
            losses["discriminator_accuracy"] = right.float().mean()
        return {"total": summed(*terms.values()), **{name: term for name, (_, term) in terms.items()}, **losses}

    def _moved_texts(self, parts: Parts, own: Tensor, texts: Tensor, batch: TuningBatch) -> Tensor:
        features, units = own.detach(), F.normalize(texts, dim=1)
        eta = 0.25 / texts.shape[1] ** 0.5 if self.eta is None else self.eta
        return F.normalize(moved_texts(lambda t: self.compare(parts, features, t, batch), units, eta), dim=1)

    def _consistency(self, parts: Parts, own: Tensor, attacked: Tensor, batch: TuningBatch) -> Tensor:
        """Over the classes, or over the batch's texts where there are none."""
        bank = parts.own_texts(batch) if parts.texts is None else parts.texts
        clean, other = (class_logits(x, bank, parts.encoder.scale) for x in (own, attacked))
        return kl_divergence(clean.detach() if self.detach_clean else clean, other).mean()
