"""The stages of a model, its streams, and those that a user means."""

from collections.abc import Sequence
from dataclasses import dataclass

from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel
from rgbdsod.models.meetings import INPUT, meetings_of


@dataclass(frozen=True)
class Place:
    """One stream at one stage.

    Args:
        stage: "input", or a meeting of the network.
        stream: the input that it comes from.
    """

    stage: str
    stream: str


def stages_of(model: SaliencyModel) -> tuple[str, ...]:
    """Names of the stages at which an intervention on a model can act, in the order of a pass.

    Args:
        model: from `load_model` or `wrap`. A network says where its streams meet by a method `meetings`; of any other
            the one stage is "input".

    Example:
        >>> from rgbdsod import load_model
        >>> from rgbdsod.run.interventions.places import stages_of
        >>> stages_of(load_model("bbsnet", device="cpu"))
        ('input', '0', '1', '2', '3_1', '4_1')
    """
    return (INPUT, *meetings_of(model.network))


def find_places(
    model: SaliencyModel, stages: str | Sequence[str] = "all", streams: str | Sequence[str] = "both"
) -> list[Place]:
    """The places that are meant, by stage, then by stream.

    Args:
        model: the network.
        stages: names of its stages, or "all".
        streams: names of its inputs, or "both" for all.

    Raises:
        UsageError: the model has no such stage or stream.
    """
    known = stages_of(model)
    wanted = list(known) if "all" in (stages, *stages) else _listed("--stage", stages, known[-1])
    for stage in wanted:
        if stage not in known:
            raise UsageError(f'{model.name} has no stage "{stage}"; its stages are {", ".join(known)} (or all)')
    chosen = list(model.inputs) if streams == "both" else _listed("--stream", streams, model.inputs[0])
    for stream in chosen:
        if stream not in model.inputs:
            others = "" if len(model.inputs) == 1 else ", or both"
            raise UsageError(
                f'{model.name} has no stream "{stream}"; pass --stream {" or ".join(model.inputs)}{others}'
            )
    return [Place(stage, stream) for stage in known if stage in wanted for stream in model.inputs if stream in chosen]


def _listed(flag: str, given: str | Sequence[str], example: str) -> list[str]:
    """One name, or several; each once."""
    names = [given] if isinstance(given, str) else list(dict.fromkeys(given))
    if not names:
        raise UsageError(f"{flag} names nothing; pass for example {flag} {example}")
    return names
