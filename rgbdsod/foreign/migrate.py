"""Documents of older versions are read as if this one had written them; those of newer ones are refused."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from rgbdsod.errors import DataError
from rgbdsod.foreign.files import shown

Document = dict[str, Any]
Steps = tuple[Callable[[Document], Document], ...]

MIGRATIONS: Mapping[str, Steps] = MappingProxyType({})
"""By the NAME of "rgbdsod.NAME/N", what turns version 1 into 2, 2 into 3, and so on; a name that is not here has only
version 1. Whoever changes what a document means adds a step, and a test with a stored document of before."""


def migrated(
    document: Mapping[str, Any], place: str, name: str | None = None, table: Mapping[str, Steps] = MIGRATIONS
) -> Document:
    """A document in its present version.

    Args:
        document: as it was stored; its "schema" says what it is.
        place: its file, for errors.
        name: what it must be, such as "run"; None: whatever it says, and without a schema it stays as it is.
        table: the migrations.

    Raises:
        DataError: it is something else, or of a newer version.
    """
    schema = document.get("schema")
    if schema is None and name is None:
        return dict(document)
    found = re.fullmatch(r"rgbdsod\.([a-z-]+)/([1-9]\d{0,3})", str(schema))
    if found is None or name not in (None, found[1]):
        raise DataError(f"{place} has schema {shown(schema)}, expected rgbdsod.{name or 'NAME'}/N; name another file")
    steps, version = table.get(found[1], ()), int(found[2])
    present = len(steps) + 1
    if version > present:
        raise DataError(
            f"{place} was written by a newer rgbdsod (schema {schema}, this one reads rgbdsod.{found[1]}/{present}); "
            "update rgbdsod"
        )
    result = dict(document)
    for number, step in enumerate(steps[version - 1 :], start=version + 1):
        result = {**step(result), "schema": f"rgbdsod.{found[1]}/{number}"}
    return result
