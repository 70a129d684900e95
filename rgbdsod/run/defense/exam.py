"""A batch against every defence: nobody knows the defence, then somebody does."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from rgbdsod.attacks.problem import frozen
from rgbdsod.defenses import Chain
from rgbdsod.models import SaliencyModel
from rgbdsod.run.attack_piece import AttackPiece
from rgbdsod.run.defense.aware.attacker import Attacker
from rgbdsod.run.defense.aware.campaign import Campaign
from rgbdsod.run.defense.aware.way import Way
from rgbdsod.run.defense.checks import cosine, unbounded, untested
from rgbdsod.run.defense.choice import DefenseChoice
from rgbdsod.run.defense.front import Front
from rgbdsod.run.defense.verdict import Judge, Verdict
from rgbdsod.types import Inputs

Row = dict[str, Any]
_CONTROL = Way(name="noise", attack="noise")


class Exam:
    """One batch.

    Args:
        piece: images, network and the run's own attack.
        model: the network itself.
        masks: ground truth (B,1,H,W).
        chains: the defences, the empty one first.
        choice: how they are attacked.
        checked: ids of the images on which the attacks are tested.
        advance: takes how many images are done, in fractions.
    """

    def __init__(
        self, piece: AttackPiece, model: SaliencyModel, masks: Tensor, chains: Sequence[Chain], choice: DefenseChoice,
        *, checked: Sequence[str] = (), advance: Callable[[float], None] = lambda done: None,
    ) -> None:  # fmt: skip
        self._piece, self._model, self._masks = piece, model, masks
        self._chains, self._choice, self._checked, self._advance = chains, choice, checked, advance
        self._attacker = Attacker(piece, masks, choice)
        self.ids = self._attacker.ids
        self._judge = Judge(model, self.ids, masks >= 0.5, choice.draws)

    def take(self) -> list[Row]:
        """One row for each image and defence."""
        share = len(self.ids) / (len(self._chains) + 1)
        saved = self._attacker.unaware()
        noise, _ = self._attacker.through(self._chains[0], _CONTROL)
        self._advance(share)
        bare = self._judge(self._chains[0], saved)
        rows: list[Row] = []
        others: dict[str, Inputs] = {"clean": self._attacker.clean, "noise": noise}
        for turn, chain in enumerate(self._chains):
            views = {"clean": self._judge(chain, self._attacker.clean), "noise": self._judge(chain, noise),
                     "none": bare, "unaware": self._judge(chain, saved)}  # fmt: skip
            columns: list[Row] = [{} for _ in self.ids]
            if self._choice.aware:
                campaign = Campaign(self._attacker, chain, self._choice, self._judge, saved, others)
                campaign.run(partial(self._share, share, turn + 1))
                others[f"from {chain.name}"] = campaign.worst.inputs
                self._know(campaign, views, columns)
            times = self._times(chain, saved)
            rows += [
                {"id": name, "row": chain.name, **columns[at], **times, **_values(views, at)}
                for at, name in enumerate(self.ids)
            ]
            self._advance(share * (turn + 2))
        return rows

    def _share(self, share: float, turn: int, part: float) -> None:
        """How much is done in a turn's attacks, of which the checks are still to come."""
        self._advance(share * (turn + 0.9 * part))

    def _know(self, campaign: Campaign, views: dict[str, list[Verdict]], columns: list[Row]) -> None:
        """What the attacks that know the defence did; the worst for each image becomes the view "aware"."""
        views["aware"], views["alone"] = (campaign.verdicts(one) for one in (campaign.worst, campaign.alone))
        tests = self._checks(campaign, views["clean"])
        for at, column in enumerate(columns):
            column |= {"aware_attack": campaign.worst.names[at], "aware_passes": int(campaign.passes[at]), **tests[at]}

    def _checks(self, campaign: Campaign, before: Sequence[Verdict]) -> list[Row]:
        """The checks of each image."""
        found = [untested() for _ in self.ids]
        rows = [at for at, name in enumerate(self.ids) if name in self._checked]
        if not rows:
            return found
        chain, ids, masks = campaign.chain, [self.ids[at] for at in rows], self._masks[rows]
        clean = {name: value[rows] for name, value in self._attacker.clean.items()}
        names = list(self._attacker.radii)
        whole = unbounded(
            self._model, chain, ids, clean, masks, names, [before[at] for at in rows], self._choice.expectation
        )
        longer = campaign.longer(rows)
        exact = chain.differentiable == "exact" and not chain.random
        with frozen(self._model):
            slope = cosine(self._model, chain, ids, clean, masks, names[-1]) if exact else None
        for number, at in enumerate(rows):
            found[at] = {
                "check_whole": whole[number], "check_longer": longer[number], "check_gradient": slope
            }  # fmt: skip
        return found

    def _times(self, chain: Chain, inputs: Inputs) -> dict[str, float]:
        """Seconds for an image, of the network alone and behind the defence, each the faster of two."""
        found = {}
        for name, one in (("network_seconds", self._chains[0]), ("seconds", chain)):
            front, taken = Front(self._model, one, self.ids, "time"), []
            for _ in range(2):
                begin = time.perf_counter()
                front.maps(inputs)
                taken.append((time.perf_counter() - begin) / len(self.ids))
            found[name] = min(taken)
        return found


def _values(views: dict[str, list[Verdict]], at: int) -> Row:
    return {
        f"{view}_{key}": value for view, found in views.items() for key, value in found[at]._asdict().items()
    }  # fmt: skip
