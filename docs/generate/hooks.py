"""Hooks of mkdocs: pages get what they include, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from data.screen.view import screen_style
from docs.generate.includes import COPIES, Expander, IncludeError
from docs.generate.reference import generated

ROOT = Path(__file__).parents[2]
STYLE = "files/transition.css"
FROM_ELSEWHERE = re.compile(
    r'<(?:script|img|source|iframe)\b[^>]*\bsrc(?:set)?="(https?:)?//[^"]*"'
    r'|<link\b(?=[^>]*\brel="(?:stylesheet|preconnect|preload)")[^>]*\bhref="(https?:)?//[^"]*"'
)
_texts: dict[str, str] = {}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Expands all pages, and adds the files that they link to."""
    expander = Expander(ROOT, Path(config.docs_dir), generated())
    try:
        _texts.update(expander.read_pages())
    except IncludeError as error:
        raise PluginError(str(error)) from None
    for path in sorted(expander.copies):
        files.append(File.generated(config, f"{COPIES}/{path}", abs_src_path=str(ROOT / path)))
    # The screens' own names of classes are also those of highlighted code.
    style = f".transition {{\n{screen_style()}}}\n"
    files.append(File.generated(config, STYLE, content=style))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Returns a page's text with all that it includes."""
    return _texts.get(page.file.src_uri, markdown)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Returns the page as it is, if a browser can show it without asking anyone else.

    Raises:
        PluginError: it loads a script, a style or a picture from elsewhere.
    """
    if match := FROM_ELSEWHERE.search(output):
        raise PluginError(f"{page.file.src_uri} loads something from elsewhere: {match[0]}")
    return output
