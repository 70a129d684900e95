"""`rgbdsod hha`: folders, units, cameras, what is written, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_data import copy_scenes
from cli_schema import problems
from PIL import Image

from rgbdsod.datasets import read_rgb

SCHEMA = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas" / "hha-1.json"
CAMERA = "60,60,40,30"


@pytest.fixture
def maps(tmp_path):
    """Two depth maps in millimetres, of a wall 2 m away with a hole."""
    (tmp_path / "maps").mkdir()
    wall = np.full((60, 80), 2000, np.uint16)
    wall[10:20, 10:20] = 0
    for name in ("a", "b"):
        Image.fromarray(wall).save(tmp_path / "maps" / f"{name}.png")
    return tmp_path / "maps"


def test_millimetres_become_hha_images_and_a_record(call, maps):
    answer = call("hha", maps, "--camera", CAMERA)
    assert answer.code == 0 and answer.err == ""
    assert answer.out.splitlines()[-1].startswith("saved   hha    2 HHA images")
    image = read_rgb("hha/a.png")
    assert image.shape == (60, 80, 3) and image[40, 40].tolist()[::2] == [155, 128]
    record = json.loads(Path("hha/hha.json").read_text())
    assert record["metric"] and [found["id"] for found in record["images"]] == ["a", "b"]
    assert record["images"][0]["valid"] < 1 and record["images"][0]["middle"] == 2


@pytest.mark.parametrize("kind", [["--camera", CAMERA], ["--pseudo", "--near", "0.5", "--scale", "linear"]])
def test_json_is_one_document_that_fits_its_schema(document, maps, kind):
    found = document("hha", maps, *kind, "--missing", "mask")
    assert problems(found, json.loads(SCHEMA.read_text())) == []
    assert found["metric"] == (kind[0] == "--camera") and found["channels"][-1] == "valid"
    assert np.asarray(Image.open("hha/b.png")).shape == (60, 80, 4)


def test_the_reference_image_from_its_files(call, shared):
    folder = shared / "data" / "hha_reference" / "nyu_demo"
    words = ("--camera", folder / "camera.json", "--per-metre", 10000, "--out", "o")
    assert call("hha", folder / "0.png", *words).code == 0
    assert np.array_equal(read_rgb("o/0.png"), read_rgb(folder / "matlab_hha.png"))


def test_raw_maps_say_what_is_missing(document, shared, tmp_path):
    """A real frame with the sensor's own holes, in millimetres."""
    folder = shared / "data" / "hha_reference" / "rcnn_depth_demo"
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "depth.png").write_bytes((folder / "rawdepth.png").read_bytes())
    camera = "518.858,519.470,285.582,208.736"
    plain = document("hha", folder / "depth.png", "--camera", camera)
    found = document("hha", folder / "depth.png", "--camera", camera, "--raw", "raw")
    assert plain["images"][0]["valid"] == 1 > found["images"][0]["valid"] > 0.5
    apart = np.degrees(np.arccos(np.dot(plain["images"][0]["gravity"], found["images"][0]["gravity"])))
    assert apart < 2 and found["images"][0]["gravity"][1] > 0.9


def test_frames_of_a_sensor_with_its_camera_file(document, shared):
    """The depth folder inside a folder of images is found; as the camera turns, gravity stays where it is."""
    root = shared / "data" / "rgbd_camera"
    found = document("hha", root, "--camera", root / "camera_primesense.json")
    assert len(found["images"]) == 5 and found["warnings"] == [] and found["camera"][0][2] == 320.5
    gravities = np.array([image["gravity"] for image in found["images"]])
    poses = np.loadtxt(_pose_rows(root))
    in_the_world = np.einsum("nij,nj->ni", poses.reshape(-1, 4, 4)[:5, :3, :3], gravities)
    assert _spread(gravities) > 2 and _spread(in_the_world) < 0.3


def _pose_rows(root):
    """The lines of the matrices; each follows a line with three numbers."""
    return [line for line in (root / "trajectory.log").read_text().splitlines() if len(line.split()) == 4]


def _spread(directions):
    """The largest angle between any two, in degrees."""
    return np.degrees(np.arccos((directions @ directions.T).clip(-1, 1))).max()


def test_relative_depth_of_a_set_becomes_pseudo_hha(call, tmp_path):
    copy_scenes(tmp_path / "set", 2)
    answer = call("hha", "set", "--pseudo", "--gravity")
    assert answer.code == 0 and "2 pseudo-HHA images" in answer.out
    record = json.loads(Path("hha/hha.json").read_text())
    assert record["scale"] == "disparity, 1 is 1 m and 0 is 10 m" and record["camera"] is None
    assert call("hha", "set", "--pseudo", "--depth-invert", "--out", "other").code == 0
    assert not np.array_equal(read_rgb("hha/0.png"), read_rgb("other/0.png"))


def test_an_unusual_unit_is_a_warning(call, maps):
    answer = call("hha", maps, "--camera", CAMERA, "--per-metre", 100)
    assert answer.code == 0 and "warning: the middle of the distances is unusual in 2 of 2" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["maps"], "metric HHA needs --camera FX,FY,CX,CY"),
        (["maps", "--camera", CAMERA, "--pseudo"], "pass one of the two"),
        (["maps", "--camera", CAMERA, "--near", "2"], "--near belongs to --pseudo"),
        (["maps", "--pseudo", "--per-metre", "10"], "--per-metre belongs to --camera"),
        (["maps", "--camera", "1,2,3"], "expected four numbers fx, fy, cx, cy"),
        (["maps", "--camera", "k.json"], "is no file"),
        (["maps", "--camera", "900,900,400,300"], "a.png: the camera's centre"),
        (["maps", "--camera", CAMERA, "--per-metre", "1"], "are these millimetres"),
        (["maps", "--camera", CAMERA, "--per-metre", "-1"], "expected a number above 0"),
        (["maps", "--camera", CAMERA, "--missing", "zero"], "expected reference, mean, mask"),
        (["maps", "--camera", CAMERA, "--raw", "."], "there is no a in --raw"),
        (["maps", "--camera", CAMERA, "--pattern", "*.jpg"], "match *.jpg"),
        (["maps", "--pseudo", "--out", "maps"], "which would be overwritten"),
        (["maps", "--pseudo", "--out", "m.py/x"], "m.py"),
        (["maps", "--pseudo", "--far", "0.5"], "0 < near < far"),
        (["maps", "--pseudo", "--scale", "log"], 'expected "disparity" or "linear"'),
        (["nowhere", "--pseudo"], "there is no folder nowhere"),
        (["eight", "--camera", CAMERA], "8-bit depth has no unit"),
        (["maps", "--pseudo", "--set", "nears=2"], 'did you mean "near"?'),
    ],
)
def test_what_is_refused_is_said_in_one_line(call, maps, words, said):
    (maps.parent / "eight").mkdir()
    Image.fromarray(np.full((60, 80), 99, np.uint8)).save(maps.parent / "eight" / "a.png")
    answer = call("hha", *words)
    assert answer.code in (2, 3) and said in answer.err
    assert len(answer.err.splitlines()) == 1 and answer.out.count("saved") == 0
