"""The manifest of an adversarial set: what it is, and a checksum of every file, for those who have no rgbdsod."""

from collections.abc import Mapping
from typing import Any

from rgbdsod.datasets import DATASETS
from rgbdsod.run.folder import to_json
from rgbdsod.run.store import Store, sha256

SCHEMA = "rgbdsod.adversarial-set/1"
FOLDER = "adversarial"
FILE = f"{FOLDER}/manifest.json"

_LAYOUT = {
    "RGB/ID.png": "8 bit, adversarial where rgb was attacked, otherwise the clean picture",
    "depth/ID.png": "8 or 16 bit as in the data set, near is bright; adversarial where depth was attacked",
    "GT/ID.png": "the mask: what is salient is not 0",
}
_OF_MODEL = ("name", "architecture", "sha256", "source", "licence", "paper")


def write_manifest(store: Store, record: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """Write the manifest, if the run left an adversarial set.

    Args:
        store: holds the set.
        record: content of run.json.
        metrics: content of metrics.json.
    """
    names = [name for name in store.names(FOLDER) if name != FILE]
    if not any(name.endswith(".png") for name in names):
        return
    files = []
    for name in names:
        content = store.read(name)
        files.append({"name": name.removeprefix(f"{FOLDER}/"), "bytes": len(content), "sha256": sha256(content)})
    model, data = record.get("model") or {}, record.get("data") or {}
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "made_by": {"command": f"rgbdsod {record['command']}", "versions": record.get("versions")},
        "model": {name: model.get(name) for name in _OF_MODEL},
        "data": {"name": data.get("name"), "images": data.get("images"), "fingerprint": data.get("fingerprint"),
                 "licence": licence_note(str(data.get("name")))},
        "settings": record["settings"],
        "seed": record.get("seed"),
        "layout": _LAYOUT,
        "files": files,
    }  # fmt: skip
    if record["command"] == "attack":
        last = metrics["results"][-1]  # the files are those of the last radius
        document["attack"] = {name: last.get(name) for name in ("parameters", "budget", "objective", "goal", "success")}
        document["measured"] = {
            "clean": metrics["clean"]["benchmark"]["values"],
            "attacked": last["attacked"]["benchmark"]["values"],
        }
    store.write(FILE, to_json(document))


def licence_note(data: str) -> str:
    """What must be known before the images of a data set are passed on.

    Args:
        data: its name.
    """
    sources = [part.split("*")[-1].split(":")[0] for part in data.split("+")]  # as in scenes:80+2*demo:train
    if all(source in DATASETS for source in sources):
        notes = dict.fromkeys(f"{source}: {DATASETS[source].licence}" for source in sources)
        return f"{'; '.join(notes)}; it applies to pictures derived from them"
    return f"not known: the licence of {data} applies to pictures derived from it; ask its owner before passing them on"
