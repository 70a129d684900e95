"""Flags that the commands of `rgbdsod clip` share, each with its help text."""

from typing import Annotated

from typer import Option

_WHAT, _TEXT, _ATTACK = "What", "Text", "Attack"

Model = Annotated[
    str, Option(help="clip.demo, or an architecture of open_clip: ViT-B-32-quickgelu.", rich_help_panel=_WHAT)
]
Weights = Annotated[
    str | None, Option(help="A checkpoint: of both encoders, or a tuned image encoder.", rich_help_panel=_WHAT)
]
Original = Annotated[
    str | None, Option(help="The weights that --weights was tuned from: a file, or clip.demo.", rich_help_panel=_WHAT)
]
Activation = Annotated[
    str | None, Option(help="gelu or quickgelu, for a file that does not say.", rich_help_panel=_WHAT)
]
Normalization = Annotated[str, Option(help="clip, or imagenet as PMG-AFT's release.", rich_help_panel=_WHAT)]
Data = Annotated[
    str | None,
    Option(help="A,B: glyphs:TASK, class folders, an .npz, or known sets; default: five tasks.", rich_help_panel=_WHAT),
]
DataRoot = Annotated[str | None, Option(help="The folder with the archives of known sets.", rich_help_panel=_WHAT)]
Split = Annotated[str | None, Option(help="test, val, train, ...; default: the set's own.", rich_help_panel=_WHAT)]
Samples = Annotated[
    int | None, Option("--n-samples", help="Images of each set, evenly over its classes.", rich_help_panel=_WHAT)
]

Templates = Annotated[str, Option(help="Prompts: fixed, as-released or ensemble.", rich_help_panel=_TEXT)]
Template = Annotated[str | None, Option(help="One prompt for all sets, with {} for the class.", rich_help_panel=_TEXT)]

EpsL2 = Annotated[
    str | None, Option(help="cw: radius of what counts; default: the ball around eps.", rich_help_panel=_ATTACK)
]
Steps = Annotated[int | None, Option(help="Of each attack; default: its own, 100.", rich_help_panel=_ATTACK)]
AttackSpace = Annotated[
    str, Option(help="native: the images' pixels; model: enlarged to the encoder's.", rich_help_panel=_ATTACK)
]
LossScale = Annotated[
    float | None, Option(help="Needed by --dtype float16: factor of the loss, 1024.", rich_help_panel=_ATTACK)
]
FailUnder = Annotated[
    list[str] | None,
    Option(help="robust=X or clean=X, mean of all sets, 0 to 1: exit code 6 if missed.", rich_help_panel="Output"),
]
