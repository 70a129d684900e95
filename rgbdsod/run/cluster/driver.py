"""The driver of a run on a Ray cluster: it plans the missing pieces, has them computed, and commits what comes back."""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch

from rgbdsod import errors
from rgbdsod.errors import DataError, DeviceError, RgbdsodError
from rgbdsod.run.cluster.session import Cluster
from rgbdsod.run.cluster.worker import Answer, Recipe, compute_part
from rgbdsod.run.execute import ImageCallback, Outcome, Target, execute
from rgbdsod.run.manifest import FOLDER as SET
from rgbdsod.run.memory import default_batch
from rgbdsod.run.notes import LOGGER
from rgbdsod.run.pieces import Piece, commit, cut, stored_pieces, unpack
from rgbdsod.run.store import DiskStore, Store
from rgbdsod.run.task import Images, Task

_RETRIES = 3  # by Ray, when a worker or a node dies
_RESUBMISSIONS = 3  # by the driver, when Ray has given up
_PENDING = 200  # tasks at once: enough for a cluster to see that it should grow
_LOOK = 1.0  # seconds; Ctrl-C is heard between two looks


def execute_on_cluster(
    task: Task,
    cluster: Cluster,
    make: Callable[[Any], Task],
    arguments: Any,
    *,
    target: Target,
    batch: int | None = None,
    callback: ImageCallback | None = None,
    on_open: Callable[[], None] | None = None,
) -> Outcome:
    """Run a task on a Ray cluster, or continue it, or read its results if it is finished.

    Args:
        task: what to compute; this process opens its folder, and merges.
        cluster: where pieces are computed.
        make: builds the same task in a worker; a function of a module that workers can import.
        arguments: what `make` takes; it must be possible to pickle them.
        target, batch, callback, on_open: as for `execute`.

    Raises:
        UsageError: there is no such cluster, or a node has other weights, data or versions.
        DeviceError: workers die over one piece again and again.
    """
    device = torch.device("cuda" if cluster.gpus else "cpu")
    size = batch or default_batch(device)
    recipe = Recipe.of(task, make, arguments, cpu=not cluster.gpus)
    spread = _Spread(task, cluster, recipe, size, callback)
    return execute(spread, target=target, device=torch.device("cpu"), batch=size, callback=callback, on_open=on_open)


class _Spread:
    """A task whose missing pieces a cluster computes before the first is asked for here.

    Args:
        task: whose; cluster: where.
        recipe: of the task.
        batch: largest number of images in a piece.
        callback: is told about progress.
    """

    def __init__(
        self, task: Task, cluster: Cluster, recipe: Recipe, batch: int, callback: ImageCallback | None
    ) -> None:
        self.task, self.cluster, self.recipe, self.batch = task, cluster, recipe, batch
        self._callback = callback or (lambda done, total: None)

    @property
    def command(self) -> str:
        """The command's name."""
        return self.task.command

    @property
    def title(self) -> str:
        """Readable beginning of the folder's name."""
        return self.task.title

    @property
    def data(self) -> Images:
        """The images."""
        return self.task.data

    @property
    def modules(self) -> tuple[torch.nn.Module, ...]:
        """What is held in evaluation mode."""
        return self.task.modules

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        return self.task.settings()

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        return self.task.record() | {"ray": {"gpus_per_task": self.cluster.gpus}}

    def begin(self, store: Store) -> None:
        """Have all pieces computed that are not there."""
        self.task.begin(store)
        ids = self.data.ids
        done = {image for piece in stored_pieces(store, LOGGER.warning) for image in piece.ids}.intersection(ids)
        parts = ([index for index in part if ids[index] not in done] for part in cut(self.data.sizes(), self.batch))
        missing = [part for part in parts if part]
        if not missing:
            return
        count = len(done)
        self._callback(count, len(ids))
        with self.cluster.connected() as ray:
            for part, answer in _computed(ray, self.cluster, self.recipe, missing):
                _commit(store, part[0], answer)
                count += len(part)
                self._callback(count, len(ids))

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """A piece that was damaged between its commit and the merge is computed here."""
        return self.task.compute(part, store, advance)

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """The content of metrics.json."""
        return self.task.metrics(merged)


def _computed(
    ray: Any, cluster: Cluster, recipe: Recipe, parts: Iterable[list[int]]
) -> Iterable[tuple[list[int], Answer]]:
    """Each part with what a worker made of it, in the order in which they come; halved where memory runs out."""
    # A task with GPUs would end its worker by default, and the network be loaded again for each piece.
    options = {"num_cpus": 1, "num_gpus": cluster.gpus, "max_retries": _RETRIES, "max_calls": 0}
    remote = ray.remote(**options)(compute_part)
    _look_for_gpus(ray, cluster)
    queue, deaths = deque(parts), Counter[int]()
    running: dict[Any, list[int]] = {}
    while queue or running:
        while queue and len(running) < _PENDING:
            part = queue.popleft()
            running[remote.remote(recipe, part)] = part
        ready, _ = ray.wait(list(running), num_returns=1, timeout=_LOOK)
        for reference in ready:
            part = running.pop(reference)
            answer = _answer(ray, reference)
            if isinstance(answer, Exception):
                deaths[part[0]] += 1
                if deaths[part[0]] > _RESUBMISSIONS:
                    raise DeviceError(_hopeless(part, answer)) from answer
                queue.append(part)
            elif answer.full:
                queue.extend(_halves(part))
            else:
                yield part, answer


def _answer(ray: Any, reference: Any) -> Answer | Exception:
    """What came back, or how the worker died.

    Raises:
        RgbdsodError: the worker's, as if it had happened here; also any other that is no matter of workers and nodes.
    """
    try:
        answer: Answer = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise getattr(error, "cause", None) or error from None
    except ray.exceptions.RayError as error:
        return error if isinstance(error, Exception) else DeviceError(str(error))
    if answer.error is not None:
        name, text = answer.error
        kind: type[RgbdsodError] = getattr(errors, name, RgbdsodError)
        raise kind(text)
    return answer


def _halves(part: list[int]) -> list[list[int]]:
    if len(part) == 1:
        raise DeviceError("out of memory at batch 1; use smaller images, --dtype bfloat16, or a larger --gpus-per-task")
    LOGGER.warning(f"out of memory at batch {len(part)}; these images are computed in halves")
    return [part[: len(part) // 2], part[len(part) // 2 :]]


def _hopeless(part: list[int], error: Exception) -> str:
    """Why a part is not sent out any more."""
    times = (_RESUBMISSIONS + 1) * (_RETRIES + 1)
    return (
        f"workers died {times} times over the images from number {part[0] + 1} on ({type(error).__name__}); "
        "give them more memory, or a smaller --batch, and give the same command again"
    )


def _look_for_gpus(ray: Any, cluster: Cluster) -> None:
    """A task that asks for what is not there would wait without a word."""
    there = ray.cluster_resources().get("GPU", 0)
    if there >= cluster.gpus:
        return
    text = f"--gpus-per-task {cluster.gpus:g}: the cluster has {there:g} GPUs"
    if cluster.address == "local":
        raise DeviceError(f"{text}; use --gpus-per-task 0")
    LOGGER.warning(f"{text} now; tasks wait until it has grown")


def _commit(store: Store, first: int, answer: Answer) -> None:
    """Write what a worker made: files first, then the piece that vouches for them."""
    if not isinstance(store, DiskStore):
        raise DataError("a cluster needs a run folder; give out=DIR")
    with store.witnessed() as written:
        for name, content in answer.files.items():
            store.write(name, content)
    vouched = {name: checksum for name, checksum in written.items() if name.startswith(f"{SET}/")}
    commit(store, first, replace(unpack(answer.piece), files=vouched))
