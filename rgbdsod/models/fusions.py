"""The same network with another fusion, as a row of the table. No torch here."""

from dataclasses import replace

from rgbdsod.errors import UsageError
from rgbdsod.fusion.presets import FUSIONS, is_design, known_designs, named_spec
from rgbdsod.models.table import InputSpec, ModelRow


def with_fusion(row: ModelRow, fusion: str | None) -> ModelRow:
    """The row of a network with another fusion, for which there are no weights.

    Args:
        row: of the network.
        fusion: a name of `row.fusions`, of a U-Net's with or without an operator; None or its own leave the row as it
            is.

    Raises:
        UsageError: the network has no such fusion.
    """
    if fusion is None or fusion == row.fusion:
        return row
    if fusion not in row.fusions and not (row.fusions == FUSIONS and is_design(fusion)):
        raise UsageError(f'{row.name} has fusion {known_fusions(row)}; got "{fusion}"')
    return replace(
        row,
        name=f"{variant_of(row)}-{fusion}",
        canonical="",
        fusion=fusion,
        inputs=_read_by(fusion, dict(row.inputs)) if is_design(fusion) else row.inputs,
        options={**row.options, "fusion": fusion},
        training="",
        parts={},
        asset=None,
    )


def variant_of(row: ModelRow) -> str:
    """How names of a row's variants begin: a name of built-in weights is theirs alone."""
    return row.architecture if row.asset is not None else row.name


def known_fusions(row: ModelRow) -> str:
    """The fusions of a row, in words."""
    if row.fusions == FUSIONS:
        return known_designs()
    return ", ".join(row.fusions) or row.fusion or "its own"


def told_apart(row: ModelRow) -> tuple[str, ...]:
    """Fusions of a row that a file of weights may be recognised as; too many of a U-Net's have weights of one shape."""
    return () if row.fusions == FUSIONS else row.fusions


def untrained_note(name: str, fusion: str) -> str:
    """What results of a network carry that has built-in weights, but for another fusion.

    Args:
        name: what a user types.
        fusion: the one that has none.
    """
    return (
        f"untrained: there are no built-in weights for fusion {fusion}; train them with "
        f"rgbdsod train --model {name} --fusion {fusion}, then pass --weights"
    )


def _read_by(fusion: str, inputs: dict[str, InputSpec]) -> dict[str, InputSpec]:
    """The inputs of a design; where it reads HHA, the network itself makes it of plain depth."""
    names = named_spec(fusion).inputs
    if "hha" in names:
        return {**inputs, "depth": InputSpec(1)}
    return {name: inputs[name] for name in names}
