"""`rgbdsod.run.leaderboard`: networks and defences on fixed images, under the worst of all attacks that know them."""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rgbdsod.datasets import Dataset, load_dataset
from rgbdsod.errors import DataError, UsageError
from rgbdsod.models.device import resolve_device
from rgbdsod.run.benchmark.saliency import spread
from rgbdsod.run.board.entry import Entry, read_card
from rgbdsod.run.board.measure import Bench, measured, opened
from rgbdsod.run.board.ranking import Measured, ranked
from rgbdsod.run.board.result import NOTES, SCHEMA, LeaderboardResult
from rgbdsod.run.board.suite import Board, read_board
from rgbdsod.run.environment import describe_device, versions
from rgbdsod.run.execute import Target, recorded
from rgbdsod.run.folder import RunFolder, folder_path, to_json
from rgbdsod.run.samples import table_file

COMMAND = "bench"
DOCUMENT = "metrics.json"

BoardCallback = Callable[[float, int, str], None]
"""Called with (cells done, cells in all, the present one); a cell in progress counts as a fraction."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A leaderboard, checked as far as it can be without loading a network.

    Args:
        board: images, radii and attacks.
        entries: what is measured, submissions first.
        submissions: their cards, as named.
        built_in: whether the board's own entries are among them.
        images: instead of the board's number; None: the board's.
        seed: of everything random.
    """

    board: Board
    entries: tuple[Entry, ...]
    submissions: tuple[str, ...] = ()
    built_in: bool = True
    images: int | None = None
    seed: int = 0

    @property
    def cells(self) -> int:
        """Modalities and radii of all entries."""
        return len(self.entries) * len(self.board.places)

    def data(self) -> Dataset:
        """The images."""
        return spread(load_dataset(self.board.data), self.board.images if self.images is None else self.images)

    def departures(self, data: Dataset) -> list[str]:
        """Why results are no entries of the leaderboard; none where they are."""
        board = self.board
        if board.version is None:
            return ["measured with a suite of one's own"]
        found = []
        if len(data) != board.images:
            found.append(f"{len(data)} images instead of {board.images}")
        elif data.fingerprint != board.fingerprint:
            found.append("other images than those of the suite")
        return found + ([f"seed {self.seed} instead of 0"] if self.seed else [])

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on, under the names of the flags."""
        own: dict[str, Any] = {"suite": self.board.name, "seed": self.seed}
        own |= {} if self.images is None else {"images": self.images}
        return own | ({"submission": list(self.submissions), "built_in": self.built_in} if self.submissions else {})

    def record(self, data: Dataset) -> dict[str, Any]:
        """Entries of run.json; the fingerprint is that of images, attacks and entries."""
        board = self.board
        cards = [entry.card() for entry in self.entries]
        text = json.dumps([data.fingerprint, board.places, dict(board.settings), cards], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        names = ", ".join(entry.name for entry in self.entries)
        return {"model": {"name": names}, "data": {"name": data.name, "images": len(data), "fingerprint": digest},
                "seed": self.seed, "suite": board.title}  # fmt: skip

    def path(self, target: Target) -> Path:
        """Where the run lies."""
        return folder_path(COMMAND, self.settings(), self.record(self.data()), title=self.title, out=target.out,
                           name=target.name)  # fmt: skip

    @property
    def title(self) -> str:
        """How its folder's name begins."""
        return "-".join([Path(self.board.name).stem, *(Path(name).stem for name in self.submissions)])


def leaderboard(
    suite: str = "rgbdsod-mini",
    *,
    submissions: Sequence[str | Path] = (),
    built_in: bool | None = None,
    allow_code: bool = False,
    images: int | None = None,
    seed: int = 0,
    device: str = "auto",
    batch: int | None = None,
    target: Target | None = None,
    callback: BoardCallback | None = None,
) -> LeaderboardResult:
    """Measure networks and defences on a leaderboard's images, each under all attacks that know it, and order them.

    Every entry has a run folder for each modality and radius below `networks/`, so that an interrupted one goes on, and
    a file `entries/NAME.json` with its card, its numbers, and what they were made with.

    Args:
        suite: a name of `BOARDS`, or a .toml file; see `read_board`.
        submissions: cards; see `read_card`.
        built_in: whether the board's own entries are measured too; None: where there are no submissions.
        allow_code: whether the Python files that cards name may be run.
        images: instead of the board's number; the results are then no entries.
        seed: of everything random; the results are entries with 0.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        batch: images at once; None chooses.
        target: where the run is written; None writes nothing.
        callback: is told about progress.

    Returns:
        A result with `.entries`, `.document` and `.summary()`.

    Raises:
        UsageError: a card, a name or a number that cannot be. DataError, WeightsError: files that are not as named.

    Example:
        >>> from rgbdsod.run import leaderboard
        >>> print(leaderboard(images=4).summary())  # doctest: +SKIP
    """
    plan = planned(suite, submissions=submissions, built_in=built_in, allow_code=allow_code, images=images, seed=seed)
    return run_leaderboard(plan, device=device, batch=batch, target=target, callback=callback)


def planned(
    suite: str = "rgbdsod-mini",
    *,
    submissions: Sequence[str | Path] = (),
    built_in: bool | None = None,
    allow_code: bool = False,
    images: int | None = None,
    seed: int = 0,
) -> Plan:
    """Everything checked that needs no network; arguments and errors as for `leaderboard`."""
    board = read_board(suite)
    if images is not None and images < 1:
        raise UsageError(f"--images {images}: pass 1 or more")
    cards = [read_card(path) for path in submissions]
    for path, entry in zip(submissions, cards, strict=True):
        if entry.code is not None and not allow_code:
            raise UsageError(f"--submission {path} runs {entry.code}; read that file, then add --allow-code")
    own = not cards if built_in is None else built_in
    entries = (*cards, *(board.entries if own else ()))
    if not entries:
        raise UsageError("nothing to measure; pass --submission CARD.toml, or --built-in")
    slugs = [entry.slug for entry in entries]
    if twice := [entry.name for entry in entries if slugs.count(entry.slug) > 1]:
        raise UsageError(f'two entries are called "{twice[0]}"; give each a name of its own')
    return Plan(board=board, entries=entries, submissions=tuple(map(str, submissions)), built_in=own, images=images,
                seed=seed)  # fmt: skip


def run_leaderboard(
    plan: Plan,
    *,
    device: str = "auto",
    batch: int | None = None,
    target: Target | None = None,
    callback: BoardCallback | None = None,
) -> LeaderboardResult:
    """Run a plan, continue it, or read its results; arguments as for `leaderboard`."""
    data = plan.data()
    folder = None if target is None else _open(plan, data, target, device)
    if folder is not None and folder.finished:
        return LeaderboardResult(_read(folder), folder.path, reused=True)
    out = None if folder is None else folder.path / "networks"
    bench = Bench(board=plan.board, data=data, seed=plan.seed, device=device, batch=batch, out=out)
    with nullcontext() if folder is None else recorded(folder):
        found = _measure(plan, bench, callback or (lambda done, total, text: None))
        document = _document(plan, data, found)
        if folder is not None:
            _write(folder, document, found, data)
    return LeaderboardResult(document, None if folder is None else folder.path)


def _measure(plan: Plan, bench: Bench, tell: BoardCallback) -> list[Measured]:
    """All entries; every network is loaded before any is attacked, so that one that cannot be is refused at once."""
    models = {network: opened(network, bench.device) for network in dict.fromkeys(own.network for own in plan.entries)}
    found = []
    for turn, entry in enumerate(plan.entries):
        done = turn * len(plan.board.places)

        def advance(share: float, text: str, done: int = done, name: str = entry.name) -> None:
            tell(done + share, plan.cells, f"{name}: {text}")

        found.append(measured(bench, models[entry.network], entry, advance))
    tell(plan.cells, plan.cells, "")
    return found


def _open(plan: Plan, data: Dataset, target: Target, device: str) -> RunFolder:
    return RunFolder.open(
        COMMAND, plan.settings(), title=plan.title, out=target.out, name=target.name, restart=target.restart,
        arguments=target.arguments,
        record=plan.record(data)
        | {"versions": versions(), "device": describe_device(resolve_device(device)), "dtype": "float32"},
    )  # fmt: skip


def _document(plan: Plan, data: Dataset, found: Sequence[Measured]) -> dict[str, Any]:
    board, departures = plan.board, plan.departures(data)
    suite = {
        "name": board.title, "data": data.name, "images": len(data), "fingerprint": data.fingerprint,
        "modality": list(board.modality), "eps": list(board.eps), "settings": dict(board.settings),
        "departures": departures,
    }  # fmt: skip
    notes = [f"not an entry of {board.title}: {', '.join(departures)}"] if departures else []
    return {
        "schema": SCHEMA, "command": COMMAND, "settings": plan.settings(), "suite": suite, "entries": ranked(found),
        "notes": [*notes, *NOTES],
    }  # fmt: skip


def _write(folder: RunFolder, document: dict[str, Any], found: Sequence[Measured], data: Dataset) -> None:
    """The list, every image, and a file for each entry."""
    rows = []
    for own in found:
        images = []
        for cell in own.cells:
            values = zip(data.ids, cell.clean, cell.worst, cell.winners, strict=True)
            images += [
                {"id": name, "modality": cell.modality, "eps": cell.eps, "clean": float(clean), "worst": float(worst),
                 "attack": winner} for name, clean, worst, winner in values
            ]  # fmt: skip
        rows += [{"entry": own.entry.name, **row} for row in images]
        alone = {"schema": SCHEMA, "suite": document["suite"], "versions": folder.record["versions"], **own.row()}
        folder.write(f"entries/{own.entry.slug}.json", to_json({**alone, "images": images}))
    folder.write(*table_file(rows))
    folder.write(DOCUMENT, to_json(document))


def _read(folder: RunFolder) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(folder.read(DOCUMENT))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder.path} is finished but cannot be read ({error}); use --restart") from error
    return document
