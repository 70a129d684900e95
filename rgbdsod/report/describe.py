"""A run in words: what was done to which model on which data, and its full record."""

import json
from collections.abc import Mapping
from typing import Any

from rgbdsod.report.reading import Run
from rgbdsod.report.tables import print_cell
from rgbdsod.report.values import attacked_inputs, attacked_values, clean_values, results
from rgbdsod.report.view import Block, Fact
from rgbdsod.report.wording import (
    INPUTS,
    NORMS,
    attack_source,
    listing,
    show_attack,
    show_count,
    show_eps,
    show_radii,
    show_rule,
    show_seconds,
)

_OWN_BUDGET_SLACK = 1e-6  # float32 rounding of a level


def title(run: Run) -> str:
    """Heading of a run: "PGD on the depth of bbsnet"."""
    model, data = _name(run, "model"), _name(run, "data")
    if run.command == "attack":
        inputs = listing([INPUTS.get(name, name) for name in attacked_inputs(results(run)[-1])]) or "no input"
        return f"{show_attack(str(run.metrics['attack']))} on the {inputs} of {model}"
    return f"Training of {model}" if run.command == "train" else f"{model} on {data}"


def short(run: Run) -> str:
    """A row's label in a comparison: "bbsnet, PGD on depth, demo"."""
    parts = [_name(run, "model")]
    if run.command == "attack":
        modality = str(run.metrics["modality"])
        parts.append(f"{show_attack(str(run.metrics['attack']))} on {INPUTS.get(modality, modality)}")
    return ", ".join([*parts, _name(run, "data")])


def kicker(run: Run) -> str:
    """The line above the heading."""
    return f"rgbdsod {run.command} · {run.path.name}"


def lede(run: Run) -> str:
    """What happened, in two sentences; empty where there is nothing to say."""
    found = results(run)
    if not found:
        return ""
    last, images = found[-1], run.metrics["images"]
    before, after = clean_values(run).get("sm"), attacked_values(last).get("sm")
    text = _sought(last, images) if last.get("smallest") else _allowed(last)
    text += f"{last['fooled']} of {images} images are fooled ({show_rule(last['success'])})"
    text += f", {last['fooled_before']} of them failed before it" if last["fooled_before"] else ""
    if before is not None and after is not None:
        text += f"; the S-measure goes from {print_cell(before)} to {print_cell(after)}"
    if len(found) > 1:
        shown = show_radii(last["budget"])
        return f"{text}. {len(found)} radii were tried; where this page shows one of them, it is the last, {shown}."
    return f"{text}."


def _allowed(result: Mapping[str, Any]) -> str:
    """How far each input could move."""
    inputs = attacked_inputs(result)
    allowed = listing([f"{INPUTS.get(name, name)} by at most {_radius(result['budget'][name])}" for name in inputs])
    return f"The attack could change {allowed or 'nothing'}. "


def _sought(result: Mapping[str, Any], images: int) -> str:
    """What an attack that looks for the smallest change found."""
    inputs, smallest = attacked_inputs(result), result["smallest"]
    norm = result["budget"][inputs[0]]["norm"]
    size = "" if smallest["median"] is None else f", {smallest['median']:.4g} in the median before rounding"
    where = listing([INPUTS.get(name, name) for name in inputs])
    return (
        f"The attack looked for the smallest change of {where} that fools ({NORMS.get(norm, norm)}) and found it for "
        f"{smallest['found']} of {images} images{size}. "
    )


def notes(run: Run) -> tuple[str, ...]:
    """What a reader must know before trusting a number."""
    record = run.record
    found = [run.metrics.get("note") or _of(record, "model").get("note"), *record.get("notes", ())]
    found += list(_of(record, "data").get("warnings", ()))
    for result in results(run):
        for name, own in result["budget"].items():
            if own["measured"] > own["eps"] * (1 + _OWN_BUDGET_SLACK) + _OWN_BUDGET_SLACK:
                found.append(
                    f"The saved files exceed the budget of {INPUTS.get(name, name)}: {own['measured']:.6g} measured, "
                    f"{own['eps']:.6g} allowed."
                )
    if not run.finished:
        found.append(f"This training is not finished; continue it with: {record.get('arguments') or run.repeat}")
    return tuple(dict.fromkeys(str(note) for note in found if note))


def facts(run: Run) -> tuple[Fact, ...]:
    """The head's facts."""
    record = run.record
    model, data = (_of(record, key) for key in ("model", "data"))
    own = [
        Fact("Model", _name(run, "model"), _join(_weights(model), model.get("licence"))),
        Fact("Data", _images(data), _join(_prefixed("fingerprint", data.get("fingerprint")), data.get("convention"))),
        *_attack_facts(run),
        *machine_facts(run),
    ]
    return tuple(fact for fact in own if fact.value)


def machine_facts(run: Run) -> list[Fact]:
    """When, how long and on what it ran."""
    record, device = run.record, _of(run.record, "device")
    return [
        Fact("Time", _time(record), _join(str(record.get("start") or "").replace("T", " "), _status(record))),
        Fact("Device", str(device.get("description") or device.get("name") or ""), _computing(device, record)),
    ]


def record_blocks(run: Run) -> tuple[Block, ...]:
    """The run's full record, verbatim."""
    definitions = run.metrics.get("definitions", {})
    arrow = {"up": "higher is better", "down": "lower is better"}
    lines = [f"{own['title']}: {own['text']} ({arrow.get(own['better'], '')})" for own in definitions.values()]
    protocols = [f"{name} protocol: {text}" for name, text in run.metrics.get("protocols", {}).items()]
    versions = "\n".join(f"{name} {version}" for name, version in _of(run.record, "versions").items())
    blocks = [
        Block("Command that repeats this run", run.repeat if run.config else str(run.record.get("arguments") or "")),
        Block("Command as given", str(run.record.get("arguments") or "")),
        Block("config.toml", run.config),
        Block("Versions", versions),
        Block("What the numbers mean", "\n".join([*lines, *protocols])),
        Block("run.json", json.dumps(run.record, indent=1, ensure_ascii=False)),
    ]
    return tuple(block for block in blocks if block.text.strip())


def _attack_facts(run: Run) -> list[Fact]:
    found = results(run)
    if not found:
        return []
    last, attack = found[-1], str(run.metrics["attack"])
    parameters = ", ".join(_parameter(name.replace("_", " "), value) for name, value in last["parameters"].items())
    aim = _join(last.get("objective"), last.get("goal"))
    budget, passes = last["budget"], last["passes"]
    allowed = [f"{INPUTS.get(name, name)} {_radius(own)}" for name, own in budget.items() if own["eps"]]
    measured = [f"{INPUTS.get(name, name)} {own['measured']:.5g}" for name, own in budget.items()]
    counts = f"{show_count(passes['forward'])} forward, {show_count(passes['backward'])} backward"
    return [
        Fact("Attack", _join(show_attack(attack), parameters), _join(aim, attack_source(attack))),
        Fact("Budget", ", ".join(allowed) or "none", f"measured on the saved files: {', '.join(measured)}"),
        *_space_fact(run),
        Fact("Fooled when", show_rule(last["success"]), "raw protocol, on the saved files"),
        Fact("Passes per image", counts, "of the network, per radius" if len(found) > 1 else "of the network"),
    ]


def _space_fact(run: Run) -> list[Fact]:
    """Where the budget lies, for a network that reads HHA."""
    space = _of(run.record, "hha")
    if not space:
        return []
    metres = ", ".join(f"{radius:g} m" for radius in space.get("eps_metres", ()))
    return [Fact("Space", _join(space["space"], metres), str(space["words"]))]


def _radius(own: Mapping[str, Any]) -> str:
    norm = own["norm"]
    return f"{show_eps(own['eps'], norm)} ({NORMS.get(norm, norm)})"


def _weights(model: Mapping[str, Any]) -> str:
    size = f"{model['parameters']:,} parameters" if model.get("parameters") else None
    digest = f"sha256 {str(model['sha256'])[:8]}" if model.get("sha256") else None
    return _join(model.get("fusion") and f"{model['fusion']} fusion", size, digest)


def _time(record: Mapping[str, Any]) -> str:
    seconds = record.get("seconds")
    return show_seconds(float(seconds)) if seconds is not None else "not recorded"


def _status(record: Mapping[str, Any]) -> str | None:
    return None if record.get("status") == "finished" else str(record.get("status"))


def _computing(device: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    return _join(device.get("name"), record.get("dtype"), _prefixed("seed", record.get("seed")))


def _images(data: Mapping[str, Any]) -> str:
    images = data.get("images")
    return _join(data.get("name"), None if images is None else f"{images} image{'' if images == 1 else 's'}")


def _name(run: Run, key: str) -> str:
    found = run.metrics.get(key) or _of(run.record, key).get("name") or run.record.get("settings", {}).get(key)
    return str(found or f"unknown {key}")


def _of(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = record.get(key)
    return found if isinstance(found, Mapping) else {}


def _prefixed(word: str, value: Any) -> str | None:
    return None if value is None else f"{word} {str(value)[:12]}"


def _parameter(name: str, value: Any) -> str:
    """An attack's parameter: "20 steps", "step size 2/255", "no random start"."""
    if isinstance(value, bool):
        return name if value else f"no {name}"
    if isinstance(value, int) and name.endswith("s"):
        return f"{value} {name if value != 1 else name[:-1]}"
    return f"{name} {show_eps(value) if isinstance(value, float) else value}"


def _join(*parts: Any) -> str:
    return ", ".join(str(part) for part in parts if part)
