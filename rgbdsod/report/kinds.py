"""Runs whose pages and tables are made by parts of this room of their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rgbdsod.report.benchmark.page import bench_csv, bench_section, bench_tables
from rgbdsod.report.clip.attention import attention_csv, attention_section, attention_tables
from rgbdsod.report.defense.page import COMMAND as DEFEND_COMMAND
from rgbdsod.report.defense.page import defense_csv, defense_section, defense_tables
from rgbdsod.report.gallery import Shown
from rgbdsod.report.patch.certificates import COMMAND as CERTIFY_COMMAND
from rgbdsod.report.patch.certificates import certificate_csv, certificate_section, certificate_tables
from rgbdsod.report.patch.crossing import COMMAND as MAPS_COMMAND
from rgbdsod.report.patch.crossing import maps_csv, maps_section, maps_tables
from rgbdsod.report.patch.guards import COMMANDS as GUARD_COMMANDS
from rgbdsod.report.patch.guards import guard_csv, guard_section, guard_tables
from rgbdsod.report.patch.page import COMMANDS as PATCH_COMMANDS
from rgbdsod.report.patch.page import patch_csv, patch_section, patch_tables
from rgbdsod.report.patch_stats.page import COMMAND as STATS_COMMAND
from rgbdsod.report.patch_stats.page import stats_csv, stats_section, stats_tables
from rgbdsod.report.reading import Run
from rgbdsod.report.tables import Table
from rgbdsod.report.view import Section


@dataclass(frozen=True)
class Kind:
    """How runs of one command are reported.

    Args:
        words: what messages call such a run.
        section: takes the run, an anchor, the page's file and how pictures are shown.
        tables: for formats without a page.
        csv: every digit of some runs.
    """

    words: str
    section: Callable[[Run, str, Path, Shown], Section]
    tables: Callable[[Run], Sequence[Table]]
    csv: Callable[[Sequence[Run]], str]


KINDS: Mapping[str, Kind] = {
    "bench": Kind("a benchmark", lambda run, anchor, page, shown: bench_section(run, anchor), bench_tables, bench_csv),
    "clip attention": Kind("a look at attention maps", attention_section, attention_tables, attention_csv),
    **dict.fromkeys(GUARD_COMMANDS, Kind("a run on defences", guard_section, guard_tables, guard_csv)),
    DEFEND_COMMAND: Kind("a run on input defences", defense_section, defense_tables, defense_csv),
    CERTIFY_COMMAND: Kind("a run of certificates", certificate_section, certificate_tables, certificate_csv),
    MAPS_COMMAND: Kind("a run of cross-modal maps", maps_section, maps_tables, maps_csv),
    STATS_COMMAND: Kind("a comparison of patches with photographs", stats_section, stats_tables, stats_csv),
    **dict.fromkeys(PATCH_COMMANDS, Kind("a run of patches", patch_section, patch_tables, patch_csv)),
}
"""By command."""


def kind_of(run: Run) -> Kind | None:
    """The kind of a run, None for those that the usual page shows."""
    return KINDS.get(run.command)
