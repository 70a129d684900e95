"""A batch against every defence: nobody knows the defence, then somebody does."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from rgbdsod.attacks.problem import frozen
from rgbdsod.defenses import Chain
from rgbdsod.models import SaliencyModel
from rgbdsod.run.attack_piece import AttackPiece
from rgbdsod.run.defense.attacks import UNAWARE, Attacker, Way, ways
from rgbdsod.run.defense.checks import cosine, unbounded, untested
from rgbdsod.run.defense.choice import DefenseChoice
from rgbdsod.run.defense.front import Front
from rgbdsod.run.defense.verdict import Verdict, judge
from rgbdsod.types import Inputs

Row = dict[str, Any]
_CONTROL = Way("noise")


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

    def take(self) -> list[Row]:
        """One row for each image and defence."""
        share = len(self.ids) / (len(self._chains) + 1)
        saved, _ = self._attacker.unaware()
        noise, _ = self._attacker.through(self._chains[0], _CONTROL)
        self._advance(share)
        bare = self._judge(self._chains[0], saved)
        rows: list[Row] = []
        for turn, chain in enumerate(self._chains):
            views = {"clean": self._judge(chain, self._attacker.clean), "noise": self._judge(chain, noise),
                     "none": bare, "unaware": self._judge(chain, saved)}  # fmt: skip
            columns: list[Row] = [{} for _ in self.ids]
            if self._choice.aware:
                self._know(chain, views, columns)
            times = self._times(chain, saved)
            rows += [
                {"id": name, "row": chain.name, **columns[at], **times, **_values(views, at)}
                for at, name in enumerate(self.ids)
            ]
            self._advance(share * (turn + 2))
        return rows

    def _know(self, chain: Chain, views: dict[str, list[Verdict]], columns: list[Row]) -> None:
        """Attacks that know the defence; the worst for each image becomes the view "aware"."""
        hits: list[list[tuple[str, Verdict]]] = [[(UNAWARE, verdict)] for verdict in views["unaware"]]
        passes = torch.zeros(len(self.ids), dtype=torch.int64)
        for way in ways(self._piece.plan, chain, self._choice):
            inputs, result = self._attacker.through(chain, way)
            passes += (result.forward + result.backward).cpu()
            for own, verdict in zip(hits, self._judge(chain, inputs), strict=True):
                own.append((way.name, verdict))
        worst = [min(own, key=lambda hit: hit[1].rank) for own in hits]
        views["aware"] = [verdict for _, verdict in worst]
        views["alone"] = [min(own[1:] or own, key=lambda hit: hit[1].rank)[1] for own in hits]
        tests = self._checks(chain, views, hits)
        for at, column in enumerate(columns):
            column |= {"aware_attack": worst[at][0], "aware_passes": int(passes[at]), **tests[at]}

    def _checks(
        self, chain: Chain, views: dict[str, list[Verdict]], hits: list[list[tuple[str, Verdict]]]
    ) -> list[Row]:
        """The checks of each image."""
        found = [untested() for _ in self.ids]
        rows = [at for at, name in enumerate(self.ids) if name in self._checked]
        if not rows:
            return found
        index = torch.tensor(rows, device=self._masks.device)
        ids, masks = [self.ids[at] for at in rows], self._masks[index]
        clean = {name: value[index] for name, value in self._attacker.clean.items()}
        names, before = list(self._attacker.radii), [views["clean"][at] for at in rows]
        whole = unbounded(self._model, chain, ids, clean, masks, names, before, self._choice.expectation)
        first = next(ways(self._piece.plan, chain, self._choice))
        longer = self._judge(chain, self._attacker.through(chain, Way(first.attack, times=2))[0])
        exact = chain.differentiable == "exact" and not chain.random
        with frozen(self._model):
            slope = cosine(self._model, chain, ids, clean, masks, names[-1]) if exact else None
        for number, at in enumerate(rows):
            base = dict(hits[at])[first.name]
            found[at] = {
                "check_whole": whole[number], "check_longer": longer[at].iou - base.iou, "check_gradient": slope
            }  # fmt: skip
        return found

    def _judge(self, chain: Chain, inputs: Inputs) -> list[Verdict]:
        return judge(self._model, chain, self.ids, inputs, self._masks >= 0.5, self._choice.draws)

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
