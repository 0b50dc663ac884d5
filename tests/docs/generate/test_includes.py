"""Pages show what stands elsewhere, with links that lead on, and say what is missing."""

from pathlib import Path

import pytest

from docs.generate.includes import Expander, IncludeError, anchor_of, section_of

README = """# Title

The lead.

## Faults & limits

See [the page](docs/page.md), [a result](results/one.json) and [a folder](results/).

![a chart](results/one.svg)

```text
[kept](results/one.json)
# no heading
```

### Deeper

Still.

## Last

End.
"""


@pytest.fixture
def site(tmp_path: Path) -> Expander:
    """A repository with a README, two results, a program and a folder of pages."""
    for name in ("docs/sub", "results", "src"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "README.md").write_text(README, "utf-8")
    (tmp_path / "docs" / "page.md").write_text("# Page\n", "utf-8")
    for name in ("one.json", "one.svg"):
        (tmp_path / "results" / name).write_text("", "utf-8")
    (tmp_path / "src" / "loop.py").write_text('"""```."""\nx = 1\n', "utf-8")
    return Expander(tmp_path, tmp_path / "docs", {"numbers": "1, 2, 3"})


def test_a_section_is_included_with_links_that_lead_on(site: Expander) -> None:
    text = site.expand("sub/a.md", '[Faults](../../README.md#faults--limits "included")')
    assert "[the page](../page.md), [a result](../files/results/one.json) and a folder." in text
    assert "![a chart](../files/results/one.svg)" in text
    assert "[kept](results/one.json)\n# no heading" in text  # code stays as it is
    assert text.startswith("See ")
    assert text.endswith("### Deeper\n\nStill.")
    assert site.copies == {"results/one.json", "results/one.svg"}


def test_a_page_that_shows_a_file_is_where_links_to_it_lead(site: Expander) -> None:
    (site.pages / "whole.md").write_text('# Whole\n\n[It](../README.md "included")\n', "utf-8")
    (site.pages / "sub" / "b.md").write_text("[there](../../README.md#last)\n", "utf-8")
    texts = site.read_pages()
    assert texts["whole.md"].startswith("# Whole\n\nThe lead.\n\n## Faults")  # one title
    assert texts["sub/b.md"] == "[there](../whole.md#last)\n"


def test_a_program_is_included_as_code(site: Expander) -> None:
    text = site.expand("page.md", '[The loop](../src/loop.py "included")')
    assert text == '````python\n"""```."""\nx = 1\n````'


def test_generated_text_takes_its_place(site: Expander) -> None:
    assert site.expand("page.md", "<!-- generated: numbers -->\n") == "1, 2, 3\n"


@pytest.mark.parametrize(
    "line",
    [
        "<!-- generated: nothing -->",
        '[gone](../gone.md "included")',
        '[gone](../README.md#gone "included")',
        "[gone](../gone.md)",
    ],
)
def test_what_is_not_there_is_an_error(site: Expander, line: str) -> None:
    with pytest.raises(IncludeError, match=r"gone|nothing"):
        site.expand("page.md", line)


def test_a_titles_section_is_what_stands_before_the_next_heading() -> None:
    assert section_of(README, "title") == "The lead."
    assert section_of(README, "last") == "End."
    assert anchor_of("What becomes of a `fault`?") == "what-becomes-of-a-fault"
