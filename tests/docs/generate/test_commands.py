"""The reference of commands holds every one, with the options that it has."""

import re

from docs.generate.commands import commands
from tests.support.command_line import calm


def test_every_command_is_there_with_its_options() -> None:
    text = commands()
    titles = re.findall(r"^## (calm.*)$", text, re.M)
    assert titles[0] == "calm"
    assert {"calm train", "calm store why", "calm labels agreement"} <= set(titles)
    printed = calm("store", "why", "--help").partition("\n")[2]
    assert "".join(printed.split()) in "".join(text.split())  # lines may be broken elsewhere
    assert text.count("Usage: calm") == len(titles)
