"""Who computes a run: this process alone, a share of it, the ranks of torchrun, or the tasks of a Ray cluster."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rgbdsod.cli.sharing import share_of
from rgbdsod.errors import UsageError
from rgbdsod.run.cluster.session import Cluster
from rgbdsod.run.ranks import Ranks
from rgbdsod.run.share import Share

if TYPE_CHECKING:
    import torch

    from rgbdsod.run.benchmark.bench import BenchCallback
    from rgbdsod.run.benchmark.result import BenchResult
    from rgbdsod.run.execute import ImageCallback, Outcome, Target
    from rgbdsod.run.task import Task


@dataclass(frozen=True)
class Way:
    """How a run is divided; at most one of these.

    Args:
        share: what this process computes.
        ranks: this process's, of a torchrun.
        cluster: where Ray computes.
    """

    share: Share | None = None
    ranks: Ranks | None = None
    cluster: Cluster | None = None

    @classmethod
    def of(cls, flags: Mapping[str, Any]) -> "Way":
        """What `--shard`, `--ray` and the environment say.

        Raises:
            UsageError: they contradict one another.
        """
        way = cls(share_of(flags), Ranks.here(), _cluster(flags))
        names = {"--shard": way.share, "torchrun": way.ranks, "--ray": way.cluster}
        given = [name for name, value in names.items() if value is not None]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} each divide a run; use one of them")
        return way

    def device(self, wanted: str) -> str:
        """The device of this process, where `--device` leaves it open."""
        if self.cluster is not None:
            return "auto" if self.cluster.gpus else "cpu"
        return wanted if self.ranks is None else self.ranks.device(wanted)

    def execute(
        self,
        task: "Task",
        make: "Callable[[Any], Task]",
        arguments: Any,
        *,
        target: "Target",
        device: "torch.device",
        batch: int | None,
        callback: "ImageCallback",
        on_open: Callable[[], None],
    ) -> "Outcome":
        """Run a task in this way.

        Args:
            task: what to compute.
            make, arguments: build the same task in a worker of a cluster.
            target, device, batch, callback, on_open: as for `rgbdsod.run.execute`.
        """
        if self.cluster is not None:
            from rgbdsod.run.cluster.driver import execute_on_cluster

            return execute_on_cluster(
                task, self.cluster, make, arguments, target=target, batch=batch, callback=callback, on_open=on_open
            )
        if self.ranks is not None:
            from rgbdsod.run.ranks import execute_by_ranks

            return execute_by_ranks(
                task, self.ranks, target=target, device=device, batch=batch, callback=callback, on_open=on_open
            )
        from rgbdsod.run.execute import execute

        return execute(
            task, target=target, device=device, batch=batch, share=self.share, callback=callback, on_open=on_open
        )

    def bench(
        self, work: "Callable[..., BenchResult]", *, target: "Target", callback: "BenchCallback"
    ) -> "BenchResult":
        """Run a benchmark in this way.

        Args:
            work: `rgbdsod.run.bench`, but for what divides it, where it is written, and who is told.
            target, callback: as for `rgbdsod.run.bench`.
        """
        if self.cluster is not None:
            with self.cluster.connected():
                return work(cluster=self.cluster, target=target, callback=callback)
        if self.ranks is None:
            return work(share=self.share, target=target, callback=callback)
        from rgbdsod.run.ranks import by_ranks

        def part(
            where: "Target", share: Share | None, tell: "ImageCallback", opened: Callable[[], None]
        ) -> "BenchResult":
            def told(done: float, cells: int, text: str) -> None:
                opened()  # a benchmark speaks when its folder is open
                tell(done, cells)
                callback(done, cells, text)

            found = work(share=share, target=where, callback=told)
            return found if share is not None else replace(found, reused=False)

        return by_ranks(part, self.ranks, "bench", target=target, is_whole=lambda found: found.complete)


def _cluster(flags: Mapping[str, Any]) -> Cluster | None:
    if flags["ray"] is None:
        if flags["gpus_per_task"] is not None:
            raise UsageError("--gpus-per-task is of Ray's tasks; give --ray auto, local or HOST:PORT")
        return None
    if flags["device"] not in ("auto", "cpu"):
        raise UsageError(f"--device {flags['device']}: with --ray, say what a task computes on by --gpus-per-task")
    gpus = flags["gpus_per_task"]
    if gpus is None:
        import torch

        gpus = float(torch.cuda.is_available() and flags["device"] == "auto")
    return Cluster(flags["ray"], gpus)
