"""Numbers over seeds and images, the two flat tables, and queries on them."""

import numpy as np
import pytest

from rgbdsod.errors import DataError, UsageError
from rgbdsod.report.query import query
from rgbdsod.run.benchmark.cell import Assault, Cell
from rgbdsod.run.benchmark.contender import Contender
from rgbdsod.run.benchmark.line import lines, numbers, relative_loss, share_fooled
from rgbdsod.run.benchmark.measured import Failure, Measured
from rgbdsod.run.benchmark.tables import SAMPLES, SUMMARY, samples_file, summary_file


def cell(seed=0, eps=8 / 255):
    own = Contender("saliency", "bbsnet", "{training}-{seed}.pt", None, "plain")
    return Cell(own, "demo", Assault.of("pgd-20"), "rgb", eps, seed=seed)


def measured(clean, attacked, failed, fails, seed=0, ids="abc", eps=8 / 255):
    arrays = (np.array(clean, float), np.array(attacked, float), np.array(failed, bool), np.array(fails, bool))
    more = {"clean_mae": arrays[0], "attacked_mae": arrays[1]}
    return Measured(cell(seed, eps), f"key-{seed}-{eps:.3f}", "bbsnet:plain", tuple(ids), *arrays, more)


FIRST = measured([1, 1, 1], [0.5, 1, 0], [1, 0, 0], [1, 1, 0])
SECOND = measured([1, 0.5, 1], [1, 0.5, 1], [0, 0, 0], [0, 0, 1], seed=1)


def test_relative_loss_has_the_interval_of_drawing_images():
    clean, attacked = np.ones((1, 4)), np.array([[1.0, 0.0, 1.0, 0.0]])
    loss = relative_loss(clean, attacked)
    assert loss.value == 0.5
    assert 0 <= loss.low < 0.5 < loss.high <= 1
    assert relative_loss(clean, clean).high == 0
    assert relative_loss(np.zeros((1, 3)), np.zeros((1, 3))).value is None


def test_seeds_that_differ_widen_the_interval():
    same = np.tile([[0.4, 0.5, 0.6]], (4, 1))
    apart = same + np.array([[-0.3], [-0.1], [0.1], [0.3]])
    clean = np.ones_like(same)
    near, far = relative_loss(clean, same), relative_loss(clean, apart)
    assert near.value == pytest.approx(far.value) == pytest.approx(0.5)
    assert far.high - far.low > 2 * (near.high - near.low)


def test_images_that_failed_before_are_not_fooled():
    found = numbers([FIRST])
    assert (found["held"], found["fooled"], found["share"]["value"]) == (2, 1, 0.5)
    both = numbers([FIRST, SECOND])
    assert (both["images"], both["held"], both["fooled"], both["share"]["value"]) == (3, 5, 2, pytest.approx(0.4))
    assert share_fooled(np.zeros((2, 3), bool), np.zeros((2, 3), bool)).value is None


def test_seeds_of_a_row_have_the_same_images():
    with pytest.raises(DataError, match="have different images"):
        numbers([FIRST, measured([1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0], seed=1, ids="abd")])


def test_a_row_for_all_seeds_of_a_place_and_gaps_where_some_are_missing():
    cells = [cell(0), cell(1), cell(2), cell(0, 2 / 255)]
    rows = lines(cells, {FIRST.cell: FIRST, SECOND.cell: SECOND}, [Failure(cell(2), "no weights")])
    assert [(row["eps"], row["seeds"]) for row in rows] == [(8 / 255, [0, 1]), (2 / 255, [])]
    assert rows[0]["failed"] == ["seed 2: no weights"]
    assert rows[1]["clean"] is None is rows[1]["loss"]["value"]


@pytest.fixture
def folder(tmp_path):
    for name, content in (samples_file([FIRST, SECOND]), summary_file([FIRST, SECOND], [Failure(cell(2), "gone")])):
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_tables_are_flat_and_typed(folder):
    pq = pytest.importorskip("pyarrow.parquet")
    samples, summary = (pq.read_table(folder / f"{name}.parquet") for name in ("samples", "summary"))
    assert samples.num_rows == 6 and summary.num_rows == 3
    for table, types in ((samples, SAMPLES), (summary, SUMMARY)):
        assert {one.name: str(one.type) for one in table.schema} == {
            name: {"float64": "double"}.get(kind, kind) for name, kind in types.items()
        }
    row = samples.to_pylist()[1]
    assert (row["network"], row["image"], row["seed"], row["success"]) == ("bbsnet, plain", "b", 0, True)
    failed = summary.to_pylist()[2]
    assert (failed["status"], failed["error"], failed["loss"], failed["seed"]) == ("failed", "gone", None, 2)
    assert pq.read_table(folder / "samples.parquet").schema.equals(
        pq.read_table(_bytes(samples_file([]))).schema
    )  # also of no cells at all


def _bytes(file):
    import io

    return io.BytesIO(file[1])


def test_both_tables_without_pyarrow(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    name, content = summary_file([FIRST], [Failure(cell(2), "gone, \"really\"")])  # fmt: skip
    assert name == "summary.csv"
    assert content.decode().splitlines()[2].endswith('failed,"gone, ""really"""')


def test_queries_with_names_of_columns(folder):
    pytest.importorskip("duckdb")
    found = query(folder, "select seed, loss from summary where status = 'finished' order by seed")
    assert (found.columns, found.rows) == (["seed", "loss"], [(0, pytest.approx(0.5)), (1, 0.0)])
    joined = query(folder, "select count(*) n from samples join summary using (cell) where samples.success")
    assert joined.rows == [(2,)]
    assert found.text().splitlines()[0].split() == ["seed", "loss"]
    assert found.csv().splitlines()[1] == "0,0.5"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select eps from sample", "sample"),
        ("selct 1", "selct"),
        ("", "is empty"),
        ("select * from read_text('/etc/hostname')", "disabled"),
        ("copy samples to 'stolen.csv'", "no single SELECT"),
        ("attach 'other.db'", "no single SELECT"),
        ("set enable_external_access = true", "no single SELECT"),
        ("install httpfs", "no single SELECT"),
        ("select 1; select 2", "no single SELECT"),
        ("select * from 'other.parquet'", "disabled"),
    ],
)
def test_queries_that_cannot_be_or_must_not_be(folder, tmp_path, sql, message):
    pytest.importorskip("duckdb")
    with pytest.raises(UsageError) as error:
        query(folder, sql)
    assert str(error.value).startswith("--sql") and message in str(error.value) and "\n" not in str(error.value)
    assert {path.suffix for path in tmp_path.iterdir()} == {".parquet"}


def test_queries_need_tables_and_duckdb(tmp_path, folder, monkeypatch):
    with pytest.raises(DataError, match="has no table"):
        (tmp_path / "empty").mkdir()
        query(tmp_path / "empty", "select 1")
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    with pytest.raises(UsageError, match=r"--sql needs duckdb: pip install 'rgbdsod\[sql\]'"):
        query(folder, "select 1")
