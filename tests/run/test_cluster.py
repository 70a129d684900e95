"""A run on a Ray cluster is the run of one process, whatever becomes of workers and nodes."""

import json
import sys
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from run_cluster import DOOMED, small_node
from run_models import scenes, tiny

from rgbdsod.cli.main import run
from rgbdsod.cli.ways import Way
from rgbdsod.errors import DataError, DeviceError, UsageError
from rgbdsod.run import bench
from rgbdsod.run.cluster import driver, worker
from rgbdsod.run.cluster.session import Cluster
from rgbdsod.run.cluster.worker import Recipe
from rgbdsod.run.evaluate import ModelMaps, evaluation_task
from rgbdsod.run.execute import Target, execute

SUPPORT = Path(__file__).parents[1] / "support"
RESULTS = ("metrics.json", "counts.npz", "samples.parquet", "config.toml")

GRID = """
[[block]]
model = "{support}/run_ranks.py:tiny"
data = "scenes:3@32x32"
attack = "fgsm"
modality = ["rgb", "both"]
eps = ["8/255"]
"""

PATIENT = {"RAY_agent_register_timeout_ms": "600000", "RAY_worker_register_timeout_seconds": "600",
           "RAY_USAGE_STATS_ENABLED": "0"}  # fmt: skip
"""Processes may take their time to start where many tests run at once."""


def results(folder):
    return {name: (folder / name).read_bytes() for name in RESULTS}


class DeathError(Exception):
    """Ray's word for a worker that is gone."""


class BugError(DeathError):
    """Ray's word for what a task raised."""

    cause = ZeroDivisionError("by zero")


class Threadless:
    """Ray without a cluster: a task runs when its result is asked for.

    Args:
        deaths: how often the worker of a part dies, by the part's first image.
        room: a part with more images does not fit into memory.
    """

    exceptions = SimpleNamespace(RayError=DeathError, RayTaskError=BugError)

    def __init__(self, deaths=(), room=100):
        self.deaths, self.room, self.calls = Counter(dict(deaths)), room, []

    def cluster_resources(self):
        return {"CPU": 1.0}

    def remote(self, **options):
        def submitted(function, recipe, part):
            return partial(function, recipe, part), part[0], len(part)

        return lambda function: SimpleNamespace(remote=partial(submitted, function))

    def wait(self, references, num_returns, timeout):
        return references[:num_returns], references[num_returns:]

    def get(self, reference):
        work, first, size = reference
        self.calls.append(first)
        if self.deaths[first]:
            self.deaths[first] -= 1
            raise DeathError(first)
        return worker.Answer(full=True) if size > self.room else work()


def task_of(arguments):
    if arguments.get("broken"):
        raise DataError("no such file; copy it")
    return evaluation_task(ModelMaps(tiny()), scenes(arguments["images"]))


@pytest.fixture
def threadless(monkeypatch):
    def use(ray):
        monkeypatch.setattr(Cluster, "_connect", lambda self, ray: None)
        ray.is_initialized = lambda: True
        monkeypatch.setitem(sys.modules, "ray", ray)
        return ray

    worker._built.cache_clear()
    return use


def on_cluster(out, arguments=None, images=5):
    return driver.execute_on_cluster(
        task_of({"images": images}), Cluster("local"), task_of, arguments or {"images": images},
        target=Target(out=out), batch=2,
    )  # fmt: skip


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone") / "run"
    task = task_of({"images": 5})
    execute(task, target=Target(out=folder), device=task.source.device, batch=2)
    return results(folder)


def test_what_workers_send_back_is_the_run(tmp_path, threadless, alone):
    ray = threadless(Threadless())
    assert on_cluster(tmp_path / "run").complete and ray.calls == [0, 2, 4]
    assert results(tmp_path / "run") == alone
    assert json.loads((tmp_path / "run" / "run.json").read_text())["ray"] == {"gpus_per_task": 0.0}
    assert on_cluster(tmp_path / "run").reused and len(ray.calls) == 3


def test_a_part_whose_worker_died_is_sent_again_but_not_for_ever(tmp_path, threadless, alone):
    threadless(Threadless({2: 3}))
    on_cluster(tmp_path / "run")
    assert results(tmp_path / "run") == alone
    ray = threadless(Threadless({2: 9}))
    with pytest.raises(DeviceError, match=r"workers died 16 times .* from number 3 on \(DeathError\); give"):
        on_cluster(tmp_path / "other")
    assert Counter(ray.calls)[2] == 4
    threadless(Threadless())
    on_cluster(tmp_path / "other")  # the same command goes on with what was finished
    assert results(tmp_path / "other") == alone


def test_a_part_that_does_not_fit_into_memory_is_halved(tmp_path, threadless, alone):
    ray = threadless(Threadless(room=1))
    on_cluster(tmp_path / "run")
    assert sorted(ray.calls) == [0, 0, 1, 2, 2, 3, 4]
    assert results(tmp_path / "run") == alone
    threadless(Threadless(room=0))
    with pytest.raises(DeviceError, match="out of memory at batch 1; use smaller images"):
        on_cluster(tmp_path / "other")


def test_a_users_error_in_a_worker_is_raised_here_and_not_tried_again(tmp_path, threadless):
    ray = threadless(Threadless())
    with pytest.raises(DataError, match="no such file; copy it"):
        on_cluster(tmp_path / "run", {"images": 5, "broken": True})
    assert len(ray.calls) == 1


def test_a_node_with_other_data_is_refused(tmp_path, threadless):
    threadless(Threadless())
    with pytest.raises(UsageError, match=r"the node .* has data .*; data fingerprint .*, not .*; give all"):
        on_cluster(tmp_path / "run", {"images": 4})


def test_a_bug_in_a_worker_stays_a_bug():
    def get(reference):
        raise BugError

    with pytest.raises(ZeroDivisionError, match="by zero"):
        driver._answer(SimpleNamespace(get=get, exceptions=Threadless.exceptions), None)


def test_a_recipe_is_built_once_in_a_process(threadless):
    made = []

    def make(arguments):
        made.append(arguments)
        return task_of(arguments)

    recipe = Recipe.of(task_of({"images": 5}), make, {"images": 5})
    assert worker.compute_part(recipe, [0]).piece and worker.compute_part(recipe, [1, 2]).piece
    assert made == [{"images": 5}]


def test_a_grid_is_computed_there_too(tmp_path, threadless):
    (tmp_path / "grid.toml").write_text(GRID.format(support=SUPPORT))
    options = {"batch": 2, "device": "cpu"}
    alone = bench(str(tmp_path / "grid.toml"), target=Target(out=tmp_path / "alone"), **options)
    ray = threadless(Threadless())
    there = bench(
        str(tmp_path / "grid.toml"), target=Target(out=tmp_path / "ray"), cluster=Cluster("local"), **options
    )  # fmt: skip
    assert ray.calls == [0, 2, 0, 2] and there.document == alone.document
    assert (tmp_path / "ray/samples.parquet").read_bytes() == (tmp_path / "alone/samples.parquet").read_bytes()


def test_flags_that_do_not_fit(monkeypatch):
    flags = {"shard": None, "ray": None, "gpus_per_task": None, "device": "auto"}
    for change, text in (
        ({"ray": "local", "shard": "1/2"}, "--shard and --ray each divide a run; use one of them"),
        ({"gpus_per_task": 1.0}, "--gpus-per-task is of Ray's tasks; give --ray auto, local or HOST:PORT"),
        ({"ray": "local", "device": "cuda"}, "--device cuda: with --ray, say what a task computes on by --gpus-per-"),
        ({"ray": "local", "gpus_per_task": 1.5}, "--gpus-per-task 1.5: expected 0, a share such as 0.5, or a whole"),
    ):
        with pytest.raises(UsageError, match=text):
            Way.of(flags | change)
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(UsageError, match=r'--ray needs Ray: pip install "rgbdsod\[ray\]"'),
        Cluster("local").connected(),
    ):
        pass


@pytest.mark.slow
def test_a_node_is_removed_in_the_middle(tmp_path, monkeypatch):
    """Two nodes on this machine; the second never finishes a piece, and is removed while it computes one."""
    utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed")
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))  # nodes and workers inherit it
    for name, value in PATIENT.items():
        monkeypatch.setenv(name, value)
    line = ["attack", "--model", f"{SUPPORT / 'run_cluster.py'}:mortal", "--data", "scenes:6@32x32", "--quiet",
            "--eps-depth", "16/255", "--steps", "2", "--batch", "1"]  # fmt: skip
    marker = tmp_path / "begun"
    cluster = utils.Cluster(initialize_head=True, head_node_args=small_node() | {"include_dashboard": False})
    try:
        second = cluster.add_node(**small_node(), env_vars={DOOMED: str(marker)})

        def remove() -> None:
            while not marker.exists():
                time.sleep(0.1)
            cluster.remove_node(second, allow_graceful=False)

        remover = threading.Thread(target=remove, daemon=True)
        remover.start()
        assert run([*line, "--ray", cluster.address, "--out", str(tmp_path / "ray")]) == 0
        remover.join(60)
        assert marker.exists() and not remover.is_alive()
    finally:
        cluster.shutdown()
    assert run([*line, "--out", str(tmp_path / "alone")]) == 0
    assert results(tmp_path / "ray") == results(tmp_path / "alone")
