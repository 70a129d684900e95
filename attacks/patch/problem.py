"""The problem of a patch: its variables are the patch's, its outputs are the victim's on patched pictures."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from rgbdsod.attacks.budget import Budget
from rgbdsod.attacks.norms import ball
from rgbdsod.attacks.patch.compose import COLOURS, Canvas, Placed, compose, passing
from rgbdsod.attacks.patch.gate import open_gate, watched
from rgbdsod.attacks.patch.learned import PLACE, numbers_of, standing
from rgbdsod.attacks.patch.natural.family import COLOUR, LATENT, on_grid
from rgbdsod.attacks.patch.objectives import GOALS, View
from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.attacks.patch.placement import grown
from rgbdsod.attacks.patch.pose import STEEPEST, Pose, Size, homographies, limited
from rgbdsod.attacks.patch.printing import total_variation, unprintable
from rgbdsod.attacks.patch.scene import Beside, Glimpse, Layer, Scene, Seen, Setting
from rgbdsod.attacks.patch.transforms.draw import Draw
from rgbdsod.attacks.patch.transforms.presets import Transforms
from rgbdsod.attacks.problem import Problem
from rgbdsod.attacks.randomness import Streams
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

PLANE, RELIEF = "plane", "relief"
"""The variables besides a family's own: nearness and tilt (B,3), relief (B,1,h,w), all in [0, 1]."""

RELIEF_REACH = 8 / 255
_MARGIN = 0.02  # of the longer side: how far around a patch the map is not looked at


class PatchProblem:
    """A victim's problem as a function of a patch on its pictures.

    Inputs that the patch does not change are inputs of this problem too, so that the engine fills them in and the
    victim encodes them once.

    Args:
        victim: what is attacked.
        scene: the pictures.
        setting: the rest.
    """

    def __init__(self, victim: Problem, scene: Scene, setting: Setting) -> None:
        self._victim, self._scene, self._setting = victim, scene, setting
        self._draws: tuple[str, ...] = ("look/0",)

    def __getattr__(self, name: str) -> Any:
        """What it does not know itself, it knows of the victim."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._victim, name)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The variables, and the victim's untouched inputs."""
        return (*self.variables, *(name for name in self._victim.inputs if name not in self._scene.clean))

    @property
    def variables(self) -> tuple[str, ...]:
        """What is sought."""
        return variables_of(tuple(self._scene.clean), self._setting)

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """The victim's, and the generator's where there is one."""
        return (*self._victim.modules, *self._setting.family.modules)

    @property
    def passes(self) -> int:
        """How often the victim is asked in one pass."""
        return len(self._draws) * int(getattr(self._victim, "passes", 1))

    def drawn(self, *labels: str) -> Self:
        """The problem under these draws of the transformations."""
        return self._with(_draws=labels)

    def given(self, fixed: Inputs) -> Self:
        """The problem with the victim's untouched inputs filled in."""
        return self._with(_victim=self._victim.given(fixed))

    def select(self, index: Tensor) -> Self:
        """The problem for some of the samples."""
        return self._with(_victim=self._victim.select(index), _scene=self._scene.select(index))

    def forward(self, inputs: Inputs) -> Seen:
        """The victim's outputs under each draw."""
        glimpses, device = [], next(iter(inputs.values())).device.type
        with torch.autocast(device, enabled=False):
            inputs = self._shown(inputs)
        for label in self._draws:
            with torch.autocast(device, enabled=False):  # half precision is for networks, not for geometry
                placed = self.placed(inputs, label)
            with watched(self._victim, self._setting.gate) as seen:
                outputs = self._victim.forward(placed.inputs)
            hidden = grown(placed.mask, max(1, round(_MARGIN * max(placed.mask.shape[-2:]))))
            glimpses.append(Glimpse(outputs, hidden, placed.mask, seen.distance))
        costs = list(self.costs(inputs).values())
        return Seen(glimpses, torch.stack(costs).sum(0) if costs else 0.0)

    def loss(self, outputs: Seen, progress: float = 0.0) -> Tensor:
        """The mean objective of all draws, less what printing costs, (B,)."""
        return self._gain(outputs, progress) - outputs.cost

    def track(self, outputs: Seen) -> Tensor:
        """What patches are ranked by: the victim's own ranking, or the objective, without the costs."""
        if self._setting.goal == "own":
            found = [self._own(glimpse).track(glimpse.outputs) for glimpse in outputs.glimpses]
            if all(value is not None for value in found):
                ranks = torch.stack([value for value in found if value is not None]).mean(0)
                return ranks + self._gate(outputs)
        return self._gain(outputs, 1.0)

    def fooled(self, outputs: Seen) -> Tensor:
        """Whether the victim's aim is reached away from the patch, under more than half of the draws."""
        found = [self._own(glimpse).fooled(glimpse.outputs) for glimpse in outputs.glimpses]
        return torch.stack(found).float().mean(0) > 0.5

    def placed(self, inputs: Inputs, label: str | None = None) -> Placed:
        """Patched pictures.

        Args:
            inputs: the variables, and whatever else.
            label: of a draw of the transformations; None: the patch as it is, where it hangs.
        """
        setting, scene, inputs = self._setting, self._scene, self._shown(inputs)
        changes = setting.transforms if label is not None and setting.transforms.random else Transforms("none", "")
        draw = Draw(Streams(setting.seed, scene.ids, "patch", label), next(iter(scene.clean.values())))
        found = Placed(scene.clean, torch.zeros(()))
        for layer in scene.layers:
            found = self._laid(layer, found, inputs, changes, draw)
        inside = {name: self._inside(name, found.inputs[name]) for name in scene.clean}
        shown = {name: changes.seen(name, value, draw) for name, value in inside.items()}
        rest = {name: value for name, value in inputs.items() if name not in (COLOUR, PLANE, RELIEF, PLACE)}
        return Placed({**rest, **shown}, found.mask)

    def patches(self, inputs: Inputs, facts: Mapping[str, Any]) -> tuple[Tensor, list[Patch]]:
        """The variables as patches, and the first place (B,3,3) of each."""
        inputs = self._shown(inputs)
        canvas = self._canvas(inputs)
        places = [self._places(self._pose(layer.pose, inputs)) for layer in self._scene.layers]
        hung = self._pose(self._scene.layers[0].pose, inputs)
        found = []
        for row in range(len(canvas.alpha)):
            plane = None
            if canvas.near is not None:
                across, down = hung.tilt[row].tolist()
                plane = (float(canvas.near[row]), across, down)
            parts = [None if part is None else part[row].detach().cpu() for part in (canvas.colour, canvas.relief)]
            there = [place[row].tolist() for place, of in zip(places, self._scene.layers, strict=True) if of.there[row]]
            own = {**facts, "place": there[0], "places": there}
            own |= {"turn": float(hung.roll[row])} if self._setting.learned else {}
            found.append(Patch(self._setting.alpha, parts[0], self._setting.surface.mode, plane, parts[1], own))
        return places[0], found

    def _laid(self, layer: Layer, under: Placed, inputs: Inputs, changes: Transforms, draw: Draw) -> Placed:
        """One more patch on the pictures that have it."""
        canvas, pose, surface = self._canvas(inputs), self._pose(layer.pose, inputs), self._setting.surface
        if changes.motion is not None:
            pose, grow = changes.motion.moved(pose, self._size, draw)
            if canvas.near is not None:
                offset = surface.kind.offset
                canvas = canvas._replace(near=(canvas.near + offset) * grow.to(canvas.near) - offset)
        if canvas.colour is not None and changes.colours:
            colour = canvas.colour
            for change in changes.colours:
                colour = change(colour, draw)
            canvas = canvas._replace(colour=passing(colour))
        found = compose(under.inputs, canvas, self._places(pose), surface, pose.tilt)
        if bool(layer.there.all()):
            return Placed(found.inputs, found.mask | under.mask.bool())
        there = layer.there.to(found.mask.device).view(-1, 1, 1, 1)
        merged = {name: torch.where(there, value, under.inputs[name]) for name, value in found.inputs.items()}
        return Placed(merged, found.mask & there | under.mask.bool())

    @property
    def _size(self) -> Size:
        return self._setting.alpha.shape[-2], self._setting.alpha.shape[-1]

    def _places(self, pose: Pose) -> Tensor:
        return homographies(pose, self._size, self._image, self._setting.surface.focal)

    @property
    def _image(self) -> Size:
        image = next(iter(self._scene.clean.values()))
        return image.shape[-2], image.shape[-1]

    def begun_at(self) -> Tensor:
        """The place variable of patches that hang where the scene says, (B,3,1) float64."""
        return numbers_of(self._scene.layers[0].pose, self._setting.span, self._image)

    def _pose(self, pose: Pose, inputs: Inputs) -> Pose:
        """How patches hang, with the place and the tilt that the variables ask for."""
        if PLACE in inputs:
            pose = standing(pose, inputs[PLACE], self._setting.span, self._image)
        if PLANE not in inputs or self._setting.surface.mode == "card":
            return pose
        return pose.leaning(limited((2 * inputs[PLANE][:, 1:] - 1) * STEEPEST))

    def _canvas(self, inputs: Inputs) -> Canvas:
        """The variables as patches."""
        image, numbers, relief = next(iter(self._scene.clean.values())), inputs.get(PLANE), inputs.get(RELIEF)
        alpha = self._setting.alpha.to(image).expand(len(image), -1, -1, -1)
        if relief is not None and self._setting.surface.mode == "relief":
            relief = (2 * relief - 1) * RELIEF_REACH
        return Canvas(alpha, inputs.get(COLOUR), None if numbers is None else numbers[:, 0], relief)

    def _inside(self, name: str, value: Tensor) -> Tensor:
        """The picture inside its budget; the gradient passes as if there were none."""
        budget: Budget = self._scene.budgets[name]
        if budget.mask is None and not isinstance(budget.eps, Tensor) and budget.eps >= 1:
            return value
        kept = ball(self._scene.clean[name], budget).project(value.detach())
        return kept + (value - value.detach())

    def _own(self, glimpse: Glimpse) -> Problem:
        """The victim's problem, away from the patch where it can look away."""
        return self._victim.beside(glimpse.hidden) if isinstance(self._victim, Beside) else self._victim

    def _gain(self, outputs: Seen, progress: float) -> Tensor:
        if self._setting.goal == "own":
            found = [self._own(glimpse).loss(glimpse.outputs, progress) for glimpse in outputs.glimpses]
        else:
            found = [GOALS[self._setting.goal].function(self._view(glimpse)) for glimpse in outputs.glimpses]
        return torch.stack(found).mean(0) + self._gate(outputs)

    def _gate(self, outputs: Seen) -> Tensor | float:
        """How far the depurator is on the side where it is wanted, (B,)."""
        found = [glimpse.gate for glimpse in outputs.glimpses if glimpse.gate is not None]
        return open_gate(torch.stack(found).mean(0), self._setting.gate) if found else 0.0

    def _view(self, glimpse: Glimpse) -> View:
        objects, ghost = self._scene.objects, self._scene.ghost
        if objects is None or not isinstance(glimpse.outputs, Tensor):
            raise UsageError(f"--patch-goal {self._setting.goal} is for saliency maps; {self._victim.name} gives none")
        empty = torch.zeros_like(objects) if ghost is None else ghost
        return View(glimpse.outputs, objects, glimpse.mask, ~glimpse.hidden, empty & ~glimpse.hidden)

    def costs(self, inputs: Inputs) -> dict[str, Tensor]:
        """What is paid for, (B,) each, by the setting that weighs it; what weighs nothing is left out."""
        setting, colours, found = self._setting, self._shown(inputs).get(COLOUR), {}
        if colours is not None and setting.smooth:
            found["smooth"] = setting.smooth * total_variation(colours, setting.span)
        if colours is not None and setting.printable:
            found["printable"] = setting.printable * unprintable(colours)
        if colours is not None and setting.nature is not None:
            found["naturalness"] = setting.nature.cost(colours)
        return found

    def _shown(self, inputs: Inputs) -> Inputs:
        """The variables with colours in place of the numbers that stand for them."""
        if LATENT not in inputs:
            return inputs
        rest = {name: value for name, value in inputs.items() if name != LATENT}
        size = (self._setting.alpha.shape[-2], self._setting.alpha.shape[-1])
        return {COLOUR: on_grid(self._setting.family.colours(inputs[LATENT], size)), **rest}

    def _with(self, **changes: object) -> Self:
        other = copy.copy(self)
        vars(other).update(changes)
        return other


def variables_of(changed: Sequence[str], setting: Setting) -> tuple[str, ...]:
    """What is sought where a patch changes these inputs."""
    surface = setting.surface
    found = [setting.family.variable] if set(changed) & set(COLOURS) else []
    if "depth" in changed:
        found += [PLANE] if surface.has_card else []
        found += [RELIEF] if surface.mode in ("relief", "free") else []
    found += [PLACE] if setting.learned else []
    return tuple(found)
