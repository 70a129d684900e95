"""`ablation.json`: read whole, and the sentences for a file that is broken or foreign."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_ablation import ablation_document, write_ablation

from rgbdsod.errors import DataError
from rgbdsod.report.ablation.document import AblationDocument
from rgbdsod.report.reading import read_run

SMALL: dict[str, Any] = {"models": ("bbsnet",), "trainings": ("plain",), "attacks": ("pgd",)}


def test_everything_is_read() -> None:
    raw = ablation_document()
    document = AblationDocument.of(raw)
    assert (document.models, document.trainings) == (["bbsnet", "jldcf"], ["plain", "itc"])
    assert document.fusions == ["rgb", "depth", "early", "feature", "multistage"]
    assert (document.attacks, document.seeds) == (["pgd", "cospgd"], [0, 1])
    assert document.radii == [2 / 255, 4 / 255, 8 / 255]
    assert [own.sm for own in document.cells] == [own["sm"] for own in raw["cells"]]
    assert [own.value for own in document.derived] == [own["value"] for own in raw["derived"]]
    assert [own.seeds for own in document.table] == [tuple(own["seeds"]) for own in raw["table"]]
    assert len(document.transfer) == len(raw["transfer"]) == 2 * 2 * 3 * 3 * 3


def test_references_come_first_under_any_protocol_and_plain_before_other_trainings() -> None:
    names = ("A:late", "A:rgb", "A:depth")
    document = AblationDocument.of(ablation_document(**SMALL | {"fusions": names, "trainings": ("itc", "plain")}))
    assert document.fusions == ["A:rgb", "A:depth", "A:late"]
    assert document.trainings == ["plain", "itc"]


def test_clean_cells_are_made_from_the_networks_where_there_are_none() -> None:
    raw = ablation_document(**SMALL)
    whole = AblationDocument.of(raw)
    raw["cells"] = [own for own in raw["cells"] if own["attack"] != "clean"]
    document = AblationDocument.of(raw)
    assert set(document.cells) == set(whole.cells)


def test_a_number_that_is_not_defined_is_none() -> None:
    raw = ablation_document(**SMALL)
    raw["derived"][0] |= {"value": None, "low": None, "high": float("nan")}
    assert AblationDocument.of(raw).derived[0].estimate is None


def test_keys_of_a_later_version_are_left_alone() -> None:
    raw = ablation_document(**SMALL)
    raw["cells"][0]["more"] = raw["more"] = 1
    AblationDocument.of(raw)


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda raw: raw.pop(name)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda raw: raw.update(schema="rgbdsod.ablation/9"), "has schema rgbdsod.ablation/9, this version reads"),
        (_without("measure"), 'has no "measure"; repeat the ablation'),
        (_without("table"), ": table is None, expected a list"),
        (_without("data"), ": data is None, expected an object"),
        (lambda raw: raw.update(variants=[]), "variants is empty"),
        (lambda raw: raw["table"][3].pop("mean"), 'table[3] has no "mean"'),
        (lambda raw: raw["cells"][2].update(sm="high"), "cells[2].sm is 'high', expected a number"),
        (lambda raw: raw["cells"][2].update(fooled=True), "cells[2].fooled is True, expected a whole number"),
        (lambda raw: raw["table"][0].update(seeds=[None]), "table[0].seeds is [None], expected a list of numbers"),
        (lambda raw: raw["derived"].insert(1, "x"), "derived[1] is 'x', expected an object"),
    ],
)
def test_a_broken_file_is_told_by_its_place(damage: Callable[[dict[str, Any]], Any], said: str) -> None:
    raw = ablation_document(**SMALL)
    damage(raw)
    with pytest.raises(DataError) as caught:
        AblationDocument.of(raw, "here/ablation.json")
    assert str(caught.value).startswith("here/ablation.json")
    assert said in str(caught.value)


def test_a_run_folder_of_an_ablation(tmp_path: Path) -> None:
    run = read_run(write_ablation(tmp_path / "a", **SMALL))
    assert run.ablation is not None
    assert (run.command, run.metrics, run.rows) == ("ablate", {}, ())
    assert run.repeat.startswith("rgbdsod ablate --config ")


def test_a_run_folder_without_its_document(tmp_path: Path) -> None:
    folder = write_ablation(tmp_path / "a", **SMALL)
    (folder / "ablation.json").unlink()
    with pytest.raises(DataError, match=r"ablation\.json is missing"):
        read_run(folder)


def test_an_ablation_that_is_not_finished(tmp_path: Path) -> None:
    folder = write_ablation(tmp_path / "a", **SMALL)
    record = json.loads((folder / "run.json").read_text()) | {"status": "interrupted"}
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="continue it with: rgbdsod ablate"):
        read_run(folder)
