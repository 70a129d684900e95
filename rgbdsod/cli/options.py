"""Flags that several commands share, each with its help text."""

from typing import Annotated

from typer import Argument, Option

_RUN = "Run"
_WHAT = "What"
_SHOW = "Output"

Model = Annotated[str, Option(help="A name of `list models`, or FILE.py:function.", rich_help_panel=_WHAT)]
Weights = Annotated[
    str | None, Option(help="A checkpoint; default: the built-in weights, if any.", rich_help_panel=_WHAT)
]
Fusion = Annotated[
    str | None, Option(help="early, feature, multistage, rgb, depth; default: as published.", rich_help_panel=_WHAT)
]
Encoder = Annotated[str | None, Option(help="An encoder that the model offers (`info MODEL`).", rich_help_panel=_WHAT)]
Size = Annotated[str | None, Option(help="HxW that the network works at; default: its own.", rich_help_panel=_WHAT)]
Data = Annotated[str, Option(help="A name of `list datasets`, or a folder.", rich_help_panel=_WHAT)]
Limit = Annotated[int | None, Option(help="Only the first N images.", rich_help_panel=_WHAT)]
Ids = Annotated[str | None, Option(help="Only these images: A,B,C.", rich_help_panel=_WHAT)]
DepthInvert = Annotated[
    bool | None,
    Option("--depth-invert/--no-depth-invert", help="The files' depth is near = dark.", rich_help_panel=_WHAT),
]
DepthRange = Annotated[str | None, Option(help="A,B: depth values that become 0 and 1.", rich_help_panel=_WHAT)]
DepthUnit = Annotated[str | None, Option(help="mm or relative.", rich_help_panel=_WHAT)]
ResizeDepth = Annotated[bool, Option(help="Accept depth of another size than RGB.", rich_help_panel=_WHAT)]
Intersect = Annotated[bool, Option(help="Skip images that lack depth or mask.", rich_help_panel=_WHAT)]
Empty = Annotated[str, Option(help="Masks without foreground: count or skip.", rich_help_panel=_WHAT)]

Batch = Annotated[str, Option(help="Images at once: a number, or auto.", rich_help_panel=_RUN)]
Device = Annotated[str, Option(help="auto, cpu, cuda, cuda:N or mps.", rich_help_panel=_RUN)]
Dtype = Annotated[str, Option(help="float32, bfloat16 or float16, for the network.", rich_help_panel=_RUN)]
Seed = Annotated[int, Option(help="Of everything random.", rich_help_panel=_RUN)]
Deterministic = Annotated[bool, Option(help="Only deterministic kernels.", rich_help_panel=_RUN)]
Out = Annotated[str | None, Option(help="The run's folder; default: runs/COMMAND/...", rich_help_panel=_RUN)]
Name = Annotated[str | None, Option(help="The folder's name in runs/COMMAND.", rich_help_panel=_RUN)]
Restart = Annotated[bool, Option(help="Begin anew instead of continuing.", rich_help_panel=_RUN)]
Shard = Annotated[
    str | None, Option(help="I/N: compute this part; others with the same folder the rest.", rich_help_panel=_RUN)
]
Ray = Annotated[str | None, Option(help="Compute on a Ray cluster: local, auto, or HOST:PORT.", rich_help_panel=_RUN)]
GpusPerTask = Annotated[
    float | None,
    Option(help="GPUs of each of Ray's tasks, 0.5 or 1; default: 1 if there is one.", rich_help_panel=_RUN),
]
Config = Annotated[str | None, Option(help="config.toml of a run, to repeat it.", rich_help_panel=_RUN)]
Set = Annotated[
    list[str] | None, Option("--set", help="KEY=VALUE, also for an attack's own parameters.", rich_help_panel=_RUN)
]
Plugin = Annotated[
    list[str] | None, Option(help="FILE.py or module that adds models or attacks.", rich_help_panel=_RUN)
]

SaveImages = Annotated[
    str, Option(help="Pictures for the report: N, all or none; auto: 16, or all of 32.", rich_help_panel=_SHOW)
]
Json = Annotated[bool, Option("--json", help="One JSON document on stdout.", rich_help_panel=_SHOW)]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Results only.", rich_help_panel=_SHOW)]
Verbose = Annotated[bool, Option("--verbose", "-v", help="More on stderr.", rich_help_panel=_SHOW)]
Progress = Annotated[
    bool, Option("--progress/--no-progress", help="Bar on a terminal, a line a minute in a log.", rich_help_panel=_SHOW)
]
DryRun = Annotated[bool, Option(help="Only say what would be done.", rich_help_panel=_SHOW)]

Kind = Annotated[str | None, Argument(help="models, attacks, datasets or metrics; or a wildcard.")]
