"""The site loads nothing from elsewhere: no script, style, font or picture, so that it works from a disk."""

import re
from typing import Any

_LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\ssrc=["']?(?:https?:)?//[^\s>]*"""
    r"""|<link\b(?=[^>]*\srel=["']?(?:stylesheet|preload|preconnect|icon|modulepreload))"""
    r"""[^>]*\shref=["']?(?:https?:)?//[^\s>]*"""
    r"""|@import\s[^;]*//[^;]*|url\(["']?(?:https?:)?//[^)]*""",
    re.IGNORECASE,
)


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Refuse a page that loads something from another host.

    Raises:
        mkdocs.exceptions.PluginError: with the page and what it loads.
    """
    from mkdocs.exceptions import PluginError

    if found := foreign(output):
        raise PluginError(f"{page.file.src_uri} loads from elsewhere: {', '.join(found)}")
    return output


def foreign(html: str) -> list[str]:
    """What a page would load from other hosts when it is opened; links that a reader may follow do not count."""
    return [match[0] for match in _LOADED.finditer(html)]
