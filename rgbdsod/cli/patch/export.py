"""`rgbdsod patch export`: the attacked images of a run as a data set that others can use."""

from typing import Annotated

from typer import Argument, Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.screen import Screen


def export(
    context: Context,
    run: Annotated[str, Argument(help="A folder of patch make, apply or evaluate, or of attack --attack patch.")],
    out: Annotated[str, Option(help="A new folder.")],
    format: Annotated[str, Option(help="coco.")] = "coco",  # noqa: A002
    set_: options.Set = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write the attacked images, where their objects and their patches are, and a manifest."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "patch export")
    from rgbdsod.run.patch.export import export_patches

    screen = Screen(quiet=quiet, as_json=json)
    found = export_patches(run, out, format=format)
    if json:
        screen.document(found.document())
        return
    screen.result(f"images   {found.images}, with {found.patches} patch{'es' if found.patches != 1 else ''}")
    screen.result(f"saved    {found.folder}    objects.json, patches.json, manifest.jsonl ({found.files} files)")
