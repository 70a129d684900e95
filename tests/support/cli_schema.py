"""A small validator of the part of JSON Schema that the published schemas use."""

from typing import Any

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}
CHECKED = {"type", "properties", "required", "items", "enum", "const", "additionalProperties", "minimum"}
KEYWORDS = CHECKED | {"$schema", "$id", "description"}


def problems(document: Any, schema: dict[str, Any], place: str = "$") -> list[str]:
    """What does not fit, with its place."""
    unknown = set(schema) - KEYWORDS
    assert not unknown, unknown
    if "const" in schema and document != schema["const"]:
        return [f"{place} is {document!r}, not {schema['const']!r}"]
    if "enum" in schema and document not in schema["enum"]:
        return [f"{place} is {document!r}, not one of {schema['enum']}"]
    if "type" in schema and not _has_type(document, schema["type"]):
        return [f"{place} is {type(document).__name__}, not {schema['type']}"]
    if "minimum" in schema and document < schema["minimum"]:
        return [f"{place} is {document}, below {schema['minimum']}"]
    found = []
    if isinstance(document, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        found += [f"{place}.{name} is missing" for name in schema.get("required", ()) if name not in document]
        for name, value in document.items():
            if name in known:
                found += problems(value, known[name], f"{place}.{name}")
            elif others is False:
                found.append(f"{place}.{name} is not in the schema")
            elif isinstance(others, dict):
                found += problems(value, others, f"{place}.{name}")
    if isinstance(document, list):
        for index, item in enumerate(document):
            found += problems(item, schema.get("items", {}), f"{place}[{index}]")
    return found


def _has_type(document: Any, wanted: Any) -> bool:
    names = [wanted] if isinstance(wanted, str) else wanted
    if isinstance(document, bool):
        return "boolean" in names
    return isinstance(document, tuple(kind for name in names for kind in _as_tuple(TYPES[name])))


def _as_tuple(kinds: Any) -> tuple[type, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)
