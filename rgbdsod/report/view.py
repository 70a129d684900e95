"""What a page shows, ready for the template: no file, no schema, only things to print."""

from dataclasses import dataclass, field

from rgbdsod.report.tables import Table


@dataclass(frozen=True)
class Fact:
    """One line of a page's head: "Data", "demo", "24 images"."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class Headline:
    """One large number: before and after, or one value where there is no attack."""

    name: str
    clean: str
    attacked: str = ""
    more: str = ""


@dataclass(frozen=True)
class Figure:
    """An inline SVG and its caption; `strip` marks a wide one that may scroll sideways."""

    svg: str
    caption: str
    strip: bool = False


@dataclass(frozen=True)
class Key:
    """An entry of a legend: the name and the page's colour variable."""

    name: str
    colour: str


@dataclass(frozen=True)
class FigureGroup:
    """Figures that share a title and a legend."""

    title: str
    figures: tuple[Figure, ...]
    legend: tuple[Key, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class TableGroup:
    """Tables that answer one question, folded by name ("bbsnet"), and what must be known to read them."""

    title: str
    folds: tuple[tuple[str, tuple[Table, ...]], ...]
    note: str = ""


@dataclass(frozen=True)
class Panel:
    """One embedded picture.

    Args:
        kind: "rgb", "depth", "adv_rgb", "diff_rgb", ...; the same panel of another image has the same kind.
        label: below the picture.
        alt: for those who do not see it.
        uri: the picture as a data URI.
        width, height: of the stored file, in pixels.
        file: relative link to the stored file; empty where there is none (differences).
        sharp: draw its pixels without smoothing.
    """

    kind: str
    label: str
    alt: str
    uri: str
    width: int
    height: int
    file: str = ""
    sharp: bool = False


@dataclass(frozen=True)
class Card:
    """One image of the gallery: its panels and its numbers.

    Args:
        id: the sample's.
        state: "fooled", "below" (already failed before the attack), "held", or "" without an attack.
        damage: sort key -> number, larger is worse.
        values: what is printed beside the id.
        panels: pictures, in reading order.
    """

    id: str
    state: str
    damage: dict[str, float]
    values: tuple[Headline, ...]
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Gallery:
    """The panels of a run, and what must be known to read them."""

    cards: tuple[Card, ...]
    sorts: tuple[tuple[str, str], ...]
    note: str
    states: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Block:
    """A titled piece of verbatim text in the record."""

    title: str
    text: str


@dataclass(frozen=True)
class Section:
    """All that is shown of one run."""

    anchor: str
    title: str
    kicker: str
    lede: str
    facts: tuple[Fact, ...]
    notes: tuple[str, ...] = ()
    headlines: tuple[Headline, ...] = ()
    headline_note: str = ""
    tables: tuple[Table, ...] = ()
    figures: tuple[FigureGroup, ...] = ()
    groups: tuple[TableGroup, ...] = ()
    gallery: Gallery | None = None
    rows: Table | None = None
    record: tuple[Block, ...] = ()


@dataclass(frozen=True)
class Page:
    """A whole page: one run, or several with their comparison in front."""

    title: str
    kicker: str
    sections: tuple[Section, ...]
    made: str
    lede: str = ""
    notes: tuple[str, ...] = ()
    comparison: tuple[Table, ...] = ()
    figures: tuple[FigureGroup, ...] = field(default=())
