"""Puts into a page what stands elsewhere in the repository, so that nothing is written twice.

A line of a page that is one link with the title "included" is replaced by what it names:

    [The study](../../agents/results/keyroom/README.md "included")        a file of Markdown
    [Faults](../../calm/README.md#what-becomes-of-a-fault "included")     one section of it
    [The loop](../examples/cleanrl_style.py "included")                   a program, as a code block

and a line `<!-- generated: NAME -->` by a piece of `docs.generate.reference.generated`. In a clone
the links lead to the same text. Links and pictures within an included text are led anew: to the
page that shows their target, else to a copy of the file; links to folders lose their address.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from docs.generate.tables import fence

INCLUDED = re.compile(r'^\[[^\]]*\]\((?P<target>[^)\s]+) "included"\)$', re.MULTILINE)
GENERATED = re.compile(r"^<!-- generated: (?P<name>[\w ]+) -->$", re.MULTILINE)
LINK = re.compile(r'(?P<before>(?:\]\(|\b(?:src|srcset)="))(?P<target>[^)"\s]+)(?P<after>[)"])')
FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
COPIES = "files"
"""The site's folder for copies of the repository's files."""
LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".des": "text", ".json": "json"}


class IncludeError(Exception):
    """A page names something that is not there."""


@dataclass
class Expander:
    """Expands the pages of one site.

    Args:
        root: the repository.
        pages: the folder of the site's pages, within it.
        generated: Markdown by the name that pages use.
    """

    root: Path
    pages: Path
    generated: Mapping[str, str]
    copies: set[str] = field(default_factory=set)
    """Files of the repository that pages link to and that are no pages, from its root."""
    shown: dict[str, str] = field(default_factory=dict)
    """By file of the repository that a page shows whole, that page."""

    def read_pages(self) -> dict[str, str]:
        """Returns every page's text with all that it includes, by its path in the site's folder."""
        texts = {
            path.relative_to(self.pages).as_posix(): path.read_text("utf-8")
            for path in sorted(self.pages.rglob("*.md"))
        }
        for page, text in texts.items():
            for match in INCLUDED.finditer(text):
                name, _, section = match["target"].partition("#")
                if not section and name.endswith(".md"):
                    self.shown[self._repository_path(page, name)] = page
        return {page: self.expand(page, text) for page, text in texts.items()}

    def expand(self, page: str, text: str) -> str:
        """Returns a page's text with all that it includes.

        Raises:
            IncludeError: it names a file, a section or a piece that is not there.
        """
        text = self._outside_code(text, lambda part: self._lead_anew(part, page, self._page(page)))
        text = GENERATED.sub(lambda match: self._generated(page, match["name"]), text)
        return INCLUDED.sub(lambda match: self._included(page, match["target"]), text)

    def _generated(self, page: str, name: str) -> str:
        if name not in self.generated:
            raise IncludeError(f"{page}: nothing generates {name!r}: {sorted(self.generated)}")
        return self.generated[name]

    def _included(self, page: str, target: str) -> str:
        name, _, section = target.partition("#")
        path = self._repository_path(page, name)
        if not (self.root / path).is_file():
            raise IncludeError(f"{page} includes {path}, which is not there")
        text = (self.root / path).read_text("utf-8")
        if not path.endswith(".md"):
            return fence(text, LANGUAGES.get(Path(path).suffix, "text"))
        text = section_of(text, section) if section else without_title(text)
        if not text:
            raise IncludeError(f"{page}: {path} has no section {section!r}")
        return self._outside_code(text, lambda part: self._lead_anew(part, page, path))

    def _page(self, page: str) -> str:
        return (self.pages / page).relative_to(self.root).as_posix()

    def _repository_path(self, page: str, target: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(self._page(page)), target))

    @staticmethod
    def _outside_code(text: str, change: Callable[[str], str]) -> str:
        parts = FENCED.split(text)
        return "".join(part if i % 2 else change(part) for i, part in enumerate(parts))

    def _lead_anew(self, text: str, page: str, source: str) -> str:
        """Returns a text of the file `source` with its links as they must be on `page`."""

        def lead(match: re.Match[str]) -> str:
            target, _, anchor = match["target"].partition("#")
            if not target or re.match(r"[a-z]+:", target):
                return match[0]
            path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
            if not (self.root / path).exists():
                raise IncludeError(f"{source} links to {path}, which is not there")
            new = self._address(path)
            if new is None:
                return match[0] if match["before"] != "](" else "](#){.gone}"
            relative = os.path.relpath(new, posixpath.dirname(page) or ".")
            return match["before"] + relative + (f"#{anchor}" if anchor else "") + match["after"]

        text = LINK.sub(lead, text)
        return re.sub(r"\[([^\]]*)\]\(#\)\{\.gone\}", r"\1", text)

    def _address(self, path: str) -> str | None:
        """Returns where the site has a file of the repository; None for a folder."""
        within = os.path.relpath(self.root / path, self.pages)
        if path in self.shown:
            return self.shown[path]
        if not within.startswith("..") and path.endswith(".md"):
            return within
        if (self.root / path).is_dir():
            return None
        self.copies.add(path)
        return f"{COPIES}/{path}"


def without_title(text: str) -> str:
    """Returns a document without its first heading, which the page has of its own."""
    return re.sub(r"\A\s*# .*\n", "", text).strip("\n")


def section_of(text: str, anchor: str) -> str:
    """Returns what stands under the heading with this anchor, up to the next of its level.

    Under a document's title, that is up to the first heading of any level.
    """
    level, lines, fenced = 0, [], False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        heading = None if fenced else re.match(r"(#+) (.+)", line)
        if heading and level and (level == 1 or len(heading[1]) <= level):
            break
        if level:
            lines.append(line)
        elif heading and anchor_of(heading[2]) == anchor:
            level = len(heading[1])
    return "\n".join(lines).strip("\n")


def anchor_of(heading: str) -> str:
    """Returns the anchor of a heading, as sites of repositories make it.

    >>> anchor_of("What becomes of a `fault`?")
    'what-becomes-of-a-fault'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
