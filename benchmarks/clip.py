"""Hardening steps and attacks on dual encoders, beside the pass structure of the released projects.

    python benchmarks/clip.py --batch 4                      # ViT-B/32 with random weights
    python benchmarks/clip.py --small                        # the built-in architecture: seconds

Both sides compute the same: loss and image encoder's gradients of their first, untimed runs are compared. Printed are
medians over rounds in which both take turns: released over ours in time, and ours over released in memory, which is
what is kept for backward passes at its peak (weights apart), or on CUDA the peak that torch allocated.

The texts are as many to the images as 200 to 128, the published setting, unless `--classes` says otherwise.
"""

import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Annotated, NamedTuple

import torch
import typer
from clip_released import Released
from torch import Tensor

from rgbdsod.attacks import Budget, ClassProblem, ScoreProblem, pgd
from rgbdsod.clip import ClipModel, SmallClip, TextBank, ZeroShot, load_open_clip
from rgbdsod.clip.small import SmallNetwork
from rgbdsod.defenses import Hardening, InnerAttack, TuningBatch, hardening_method
from rgbdsod.run.clip import strike
from rgbdsod.run.clip.prepare import frozen_copy
from rgbdsod.run.clip.settings import ZeroShotSettings

RTOL = 1e-4
RIGHT = 0.56
"""Share of images that are classified rightly in the end-to-end evaluation: the published clean accuracy."""

Step = Callable[[], Tensor]


class Look(NamedTuple):
    """What a step gave: its value, the gradients that it left, its peak of memory in bytes, and how long it took."""

    value: Tensor
    slopes: Tensor
    peak: int
    seconds: float


@dataclass
class Setting:
    """What both sides work on."""

    model: ClipModel
    original: ClipModel
    texts: list[str]
    image: Tensor
    labels: Tensor
    eps: float
    steps: int
    bank: TextBank = field(init=False)
    ids: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.bank = TextBank(self.model, self.texts)
        self.ids = [str(number) for number in range(len(self.image))]

    @property
    def start(self) -> Tensor:
        """Where our attack begins: the released structure begins there too."""
        problem = ScoreProblem(lambda inputs: inputs["image"].flatten(1).sum(1), inputs=("image",))
        threat = {"image": Budget(eps=self.eps)}
        return pgd(problem, {"image": self.image}, threat, steps=0, keep="last", sample_ids=self.ids).inputs["image"]

    @property
    def released(self) -> Released:
        """The other side."""
        return Released(self.model, self.original, self.texts, self.eps, self.steps)


def scene(small: bool, batch: int, classes: int, eps: float, steps: int, device: str) -> Setting:
    """A model a little away from its original, which has random weights, and noise to look at."""
    torch.manual_seed(0)
    model = SmallClip(SmallNetwork()).to(device) if small else load_open_clip("ViT-B-32-quickgelu", device=device)
    original = frozen_copy(model)
    texts = [f"This is a photo of a {word}" for word in map(str, range(classes))]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # as after some updates: where both are equal, a distance of maps has no gradient
        for weight in model.visual.parameters():
            noise = torch.randn(weight.shape, generator=generator).to(weight)
            weight.add_(0.01 * weight.std(correction=0) * noise)
    image = torch.rand((batch, 3, model.side, model.side), generator=generator).to(device)
    labels = torch.randint(classes, (batch,), generator=generator).to(device)
    return Setting(model, original, texts, image, labels, eps, steps)


def training_steps(what: Setting, method: str) -> dict[str, Step]:
    """A hardening step of each side; ours finds kept what the original model says about clean images."""
    inner = InnerAttack(eps=what.eps, steps=what.steps, step_size=what.eps)
    hardening = Hardening(
        hardening_method(method), what.model, original=what.original, texts=what.bank.features, attack=inner
    )
    batch = hardening.complete(TuningBatch(what.image, what.ids, labels=what.labels))
    released, start = replace(what.released, moved=hardening.attack(batch, seed=0)), what.start
    run = getattr(released, method.replace("-", "_"))

    def our_step() -> Tensor:
        what.model.zero_grad(set_to_none=True)
        losses = hardening.step(batch, seed=0, step=0)
        losses["total"].backward()
        return losses["total"].detach()

    def their_step() -> Tensor:
        with released.at_work():
            return run(what.image, what.labels, start)

    return {"released": their_step, "ours": our_step}


def slopes(model: ClipModel) -> Tensor:
    """The image encoder's gradients in one row, where the last step left them."""
    return torch.cat([torch.zeros_like(w).flatten() if w.grad is None else w.grad.flatten()
                      for w in model.visual.parameters()])  # fmt: skip


def differences(method: str, first: dict[str, Look]) -> str:
    """How far loss and gradients of the two sides are apart, in words.

    Raises:
        SystemExit: by more than `RTOL`.
    """
    own, other = first["ours"], first["released"]
    loss = float((own.value - other.value).abs() / other.value.abs())
    slope = float((own.slopes - other.slopes).norm() / other.slopes.norm())
    if not (loss <= RTOL and slope <= RTOL):
        raise SystemExit(f"{method}: loss differs by {loss:.1e}, gradients by {slope:.1e}; more than {RTOL:g}")
    return f"loss differs by {loss:.0e}, gradients by {slope:.0e}"


def attack_steps(what: Setting) -> dict[str, Step]:
    """PGD steps of an evaluation, without the looks before and after."""
    zero_shot, start, released = ZeroShot(what.model, what.bank), what.start, what.released

    def ours_attacks() -> Tensor:
        problem = ClassProblem(zero_shot, what.labels)
        threat = {"image": Budget(eps=what.eps)}
        found = pgd(problem, {"image": what.image}, threat, steps=what.steps, step_size=what.eps, keep="unseen",
                    sample_ids=what.ids)  # fmt: skip
        return found.inputs["image"]

    def theirs_attacks() -> Tensor:
        with released.at_work():
            return released.attack(what.image, what.labels, start)

    return {"ours": ours_attacks, "released": theirs_attacks}


def evaluations(what: Setting) -> dict[str, Step]:
    """Whole evaluations of a batch, from images to verdicts, at a radius that nobody falls to.

    So our side gains only from images that are wrong anyway; any that falls on the way would be a gain on top.
    """
    zero_shot = ZeroShot(what.model, what.bank)
    labels = zero_shot.predict(what.image)
    wrong = torch.arange(len(labels), device=labels.device) >= round(RIGHT * len(labels))
    labels = torch.where(wrong, (labels + 1) % len(what.texts), labels)
    tiny = replace(what, labels=labels, eps=1e-9)
    start, released = tiny.start, tiny.released

    settings = ZeroShotSettings(attacks=("pgd",), steps=what.steps)

    def ours_evaluates() -> Tensor:
        clean = zero_shot.predict(what.image)
        scene = strike.Scene(zero_shot, what.image, labels, clean, what.ids)
        struck = strike.strike("pgd", scene, tiny.eps, settings, lambda done, total: None)
        return struck.predicted == labels

    def theirs_evaluates() -> Tensor:
        with released.at_work():
            return released.evaluate(what.image, labels, start)

    return {"ours": ours_evaluates, "released": theirs_evaluates}


@contextmanager
def kept_for_backward(model: ClipModel, original: ClipModel) -> Iterator[dict[str, int]]:
    """Bytes that graphs hold, each storage once, weights apart; "peak" is their highest sum."""
    weights = {w.untyped_storage().data_ptr() for m in (model, original) for w in m.parameters()}
    holders: dict[int, int] = {}
    count = {"now": 0, "peak": 0}

    class Held:
        def __init__(self, value: Tensor) -> None:
            self.value = value

    def leave(key: int, size: int) -> None:
        holders[key] -= 1
        if not holders[key]:
            count["now"] -= size

    def pack(value: Tensor) -> Held | Tensor:
        storage = value.untyped_storage()
        key, size = storage.data_ptr(), storage.nbytes()
        if key in weights:
            return value
        if not holders.get(key):
            count["now"] += size
            count["peak"] = max(count["peak"], count["now"])
        holders[key] = holders.get(key, 0) + 1
        held = Held(value)
        weakref.finalize(held, leave, key, size)
        return held

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda held: held.value if isinstance(held, Held) else held):
        yield count


def look(what: Setting, step: Step, clock: Callable[[], float]) -> Look:
    """The first run of a step."""
    on_device = what.image.device.type == "cuda"
    if on_device:
        torch.cuda.reset_peak_memory_stats()
    with nullcontext({}) if on_device else kept_for_backward(what.model, what.original) as count:
        begin = clock()
        value = step()
        seconds = clock() - begin
    peak = torch.cuda.max_memory_allocated() if on_device else count["peak"]
    return Look(value, slopes(what.model), peak, seconds)


def timed(step: Step, clock: Callable[[], float], device: torch.device) -> float:
    """Seconds of a step."""
    begin = clock()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - begin


def compare(
    name: str, what: Setting, steps: dict[str, Step], rounds: int, clock: Callable[[], float]
) -> dict[str, Look]:
    """Print one line: median ratio of times, seconds, and memory; what the first run of each side gave."""
    first = {side: look(what, step, clock) for side, step in steps.items()}
    order = list(steps)
    times = [] if rounds else [{side: seen.seconds for side, seen in first.items()}]
    for _ in range(rounds):
        times.append({side: timed(steps[side], clock, what.image.device) for side in order})
        order.reverse()
    ratio = median(spent["released"] / spent["ours"] for spent in times)
    seconds = [median(spent[side] for spent in times) for side in ("released", "ours")]
    peaks = [first[side].peak / 2**20 for side in ("released", "ours")]
    print(
        f"{name:<22}{ratio:7.2f}{seconds[0]:11.3f}{seconds[1]:9.3f}{peaks[1] / peaks[0]:9.2f}"
        f"{peaks[0]:10.0f}{peaks[1]:9.0f}",
        flush=True,
    )
    return first


def main(
    methods: Annotated[
        str, typer.Option(help="Of training steps, separated by commas; or none.")
    ] = "tecoa,pmg-aft,tga-zsr,fare",
    small: Annotated[bool, typer.Option("--small", help="The built-in architecture instead of ViT-B/32.")] = False,
    batch: int = 4,
    classes: Annotated[int | None, typer.Option(help="Default: 200 to 128 images.")] = None,
    steps: Annotated[int, typer.Option(help="Of the inner attack, and of the evaluation; tables take 100 there.")] = 2,
    rounds: Annotated[int, typer.Option(help="0: the first runs are timed, where a step takes minutes.")] = 3,
    evaluation: Annotated[bool, typer.Option(help="Also time PGD evaluation.")] = True,
    threads: int = 1,
    clock: Annotated[str, typer.Option(help="cpu on a machine that is busy with other work, or wall.")] = "cpu",
    device: str = "cpu",
) -> None:
    """Print one line for each step."""
    torch.set_num_threads(threads)
    now = time.process_time if clock == "cpu" else time.perf_counter
    count = max(2, round(batch * 200 / 128)) if classes is None else classes
    what = scene(small, batch, count, 1 / 255, steps, device)
    print(f"{what.model.name}, {batch} images, {count} texts, {steps} attack steps, {device}, {clock} clock")
    print(f"{'':<22}{'ratio':>7}{'released s':>11}{'ours s':>9}{'memory':>9}{'released':>10}{'ours MiB':>9}")
    with torch.no_grad():  # so that neither side pays for what torch does once
        what.model.embed_tokens(what.image)
    for method in filter(None, methods.split(",")):
        first = compare(method, what, training_steps(what, method), rounds, now)
        print(f"{'':<24}{differences(method, first)}", flush=True)
    if not evaluation:
        return
    first = compare("PGD evaluation, steps", what, attack_steps(what), rounds, now)
    same = (first["ours"].value == first["released"].value).float().mean()
    print(f"{'':<24}{same:.4%} of the attacked pixels are equal", flush=True)
    first = compare("PGD evaluation, whole", what, evaluations(what), rounds, now)
    if not torch.equal(first["ours"].value, first["released"].value):
        raise SystemExit("the verdicts of the two evaluations differ")


if __name__ == "__main__":
    typer.run(main)
