"""A page that would load something from elsewhere does not get into the site."""

from types import SimpleNamespace

import pytest
from mkdocs.exceptions import PluginError

from docs.generate.hooks import on_post_page

PAGE = SimpleNamespace(file=SimpleNamespace(src_uri="a.md"))


@pytest.mark.parametrize(
    "tag",
    [
        '<script src="https://unpkg.com/x.js"></script>',
        '<link href="//fonts.example/a.css" rel="stylesheet">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img alt="" src="http://example.org/a.png">',
        '<source media="(max-width: 600px)" srcset="https://example.org/a.svg">',
    ],
)
def test_nothing_is_loaded_from_elsewhere(tag: str) -> None:
    with pytest.raises(PluginError, match=r"a\.md loads something from elsewhere"):
        on_post_page(f"<p>{tag}</p>", PAGE)


def test_links_for_people_may_lead_anywhere() -> None:
    page = '<a href="https://arxiv.org/abs/2409.12798">paper</a><img src="../files/a.svg">'
    assert on_post_page(page, PAGE) == page
