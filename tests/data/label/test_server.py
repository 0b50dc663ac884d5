"""The page over real HTTP on loopback: who is let in, what is saved, what is escaped."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import uvicorn

from calm.records import LabelledTransition, Screen, Subgoal, Task, Transition
from data.label.serve import kept_token
from data.label.server import application
from data.label.session import KEYS, PAGE, Session
from data.label.store import LabelStore

NAMES = ("pick up the key", "<open> & 'the' \"door\"")
TASK = Task("room", "Reach <b>it</b>.", tuple(Subgoal(n, "Ends.") for n in NAMES))
EVIL = "<script>alert(1)</script>&\x1b[31m"


def row(i: int, kind: str = "") -> LabelledTransition:
    lines = [EVIL, f"  |.@|  {i}"]
    frame = Screen("\n".join(lines), "\n".join("7" * len(line) for line in lines))
    return LabelledTransition(
        Transition("room", {"screen": EVIL}, f"wait {i}", f"secret-episode-{i}", i),
        {name: name == kind for name in NAMES},
        {"player": "secret-player"},
        frame,
        frame,
    )


class Server:
    """The page of one annotator, and a client that can be as rude as it likes."""

    def __init__(self, folder: Path, rows: list[LabelledTransition], annotator: str = "ann"):
        self.store = LabelStore(folder / "labels.sqlite")
        self.session = Session(annotator, rows, {"room": TASK}, self.store)
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        self.token = kept_token(self.store.path)
        app = application(self.session, self.token, self.port)
        self.server = uvicorn.Server(
            uvicorn.Config(app, http="h11", ws="none", lifespan="off", log_level="warning")
        )
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],))
        self.thread.start()

    def ask(
        self, method: str, path: str, form: list[tuple[str, str]] | None = None, **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"Host": f"127.0.0.1:{self.port}", "Origin": f"http://127.0.0.1:{self.port}"}
        sent |= {k.replace("_", "-"): v for k, v in headers.items()}
        body = None if form is None else urlencode(form)
        client.request(method, path, body, {k: v for k, v in sent.items() if v})
        response = client.getresponse()
        text = response.read().decode()
        client.close()
        return response.status, text, {k.lower(): v for k, v in response.getheaders()}

    def label(self, id: str, *answers: str, nonce: str = "n", **headers: str) -> int:
        form = [("id", id), ("nonce", nonce), ("seconds", "2.5")]
        form += [("answer", a) for a in answers]
        return self.ask("POST", f"/{self.token}/label", form, **headers)[0]

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self.listener.close()
        self.store.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path, [row(i, NAMES[i % 2]) for i in range(5)])
    yield server
    server.close()


def test_the_page_needs_the_token(server: Server) -> None:
    assert server.ask("GET", f"/{server.token}/")[0] == 200
    for path in ("/", "/wrong/", f"/{server.token[:-1]}~/", f"/{server.token}x/label"):
        assert server.ask("GET", path)[0] == 404


def test_the_token_is_kept_for_the_next_start_and_for_its_owner_alone(server: Server) -> None:
    path = server.store.path
    assert kept_token(path) == server.token
    assert path.with_name("labels.sqlite.token").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", "[::1]:80"])
def test_other_hosts_are_refused(server: Server, host: str) -> None:
    """DNS rebinding: a name of the attacker's that points to 127.0.0.1."""
    status, text, _ = server.ask("GET", f"/{server.token}/", Host=host)
    assert status == 403
    assert "room" not in text


@pytest.mark.parametrize("origin", ["", "null", "http://evil.example", "https://127.0.0.1"])
def test_labels_from_other_pages_are_refused(server: Server, origin: str) -> None:
    id = server.session.order[0].transition.id
    assert server.label(id, ":none", Origin=origin) == 403
    assert server.store.labels() == []


def test_every_answer_carries_the_policy(server: Server) -> None:
    for path in (f"/{server.token}/", "/wrong", f"/{server.token}/static/label.js"):
        headers = server.ask("GET", path)[2]
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"


def test_game_text_is_escaped_and_control_characters_are_gone(server: Server) -> None:
    page = server.ask("GET", f"/{server.token}/")[1]
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in page
    assert "\x1b" not in page
    assert "Reach &lt;b&gt;it" in page
    assert "style=" not in page  # the policy would block it
    guide = server.ask("GET", f"/{server.token}/guide")[1]
    assert "&lt;open&gt; &amp;" in guide


def test_without_frames_the_text_is_shown(tmp_path: Path) -> None:
    bare = LabelledTransition(Transition("room", {"screen": EVIL}, "wait"), {})
    server = Server(tmp_path, [bare])
    try:
        page = server.ask("GET", f"/{server.token}/")[1]
    finally:
        server.close()
    assert '<pre class="text">&lt;script&gt;' in page


def test_the_annotator_is_blind(server: Server) -> None:
    """Neither the player nor the episode nor what the engine says is in the page."""
    page = server.ask("GET", f"/{server.token}/")[1]
    assert "secret" not in page
    assert "True" not in page


def test_answers_are_saved_and_the_next_one_appears(server: Server) -> None:
    first, second = (r.transition.id for r in server.session.order[:2])
    form = [("id", first), ("nonce", "n1"), ("seconds", "2.5"), ("answer", NAMES[1])]
    status, text, _ = server.ask("POST", f"/{server.token}/label", form, X_Part="main")
    assert status == 200
    assert text.startswith("<main")
    assert f'data-id="{second}"' in text
    assert "1 of 5" in text
    label = server.store.labels()[0]
    assert (label.id, label.achieved, label.asked) == (first, (NAMES[1],), NAMES)
    assert (label.seconds, label.unsure, label.annotator) == (2.5, False, "ann")
    # Without the script: a redirect to the page.
    status, _, headers = server.ask(
        "POST", f"/{server.token}/label", [("id", second), ("nonce", "n2"), ("answer", ":unsure")]
    )
    assert status == 303
    assert headers["location"].startswith(f"/{server.token}/?id=")
    assert server.store.labels()[1].unsure
    third = server.session.order[2].transition.id
    assert server.label(third, *NAMES, nonce="n3") == 303
    assert server.store.labels()[2].achieved == NAMES
    # Undo shows the last one again.
    _, text, _ = server.ask("POST", f"/{server.token}/undo", [], X_Part="main")
    assert f'data-id="{third}"' in text
    assert len(server.store.labels()) == 2


def test_to_the_end(server: Server) -> None:
    for i, r in enumerate(server.session.order):
        assert server.label(r.transition.id, ":none", nonce=f"n{i}") == 303
    page = server.ask("GET", f"/{server.token}/")[1]
    assert "All 5 are labelled" in page


@pytest.mark.parametrize(
    "answers", [(), ("no such subgoal",), (":none", NAMES[0]), (":none", ":unsure")]
)
def test_answers_that_are_none_are_refused(server: Server, answers: tuple[str, ...]) -> None:
    assert server.label(server.session.order[0].transition.id, *answers) == 400
    assert server.label("no such id", ":none") == 400
    assert server.store.labels() == []


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("seconds", "nan", "seconds is 'nan', expected a number from 0 to 86400"),
        ("seconds", "-1", "seconds is '-1'"),
        ("seconds", "inf", "seconds is 'inf'"),
        ("seconds", "1e300", "seconds is '1e300'"),
        ("seconds", "soon", "seconds is 'soon'"),
        ("nonce", "", "nonce has 1 to 64 printable ASCII characters"),
        ("nonce", "x" * 65, "nonce has 1 to 64"),
        ("nonce", "a\x00b", "nonce has 1 to 64"),
        ("replaces", "-1", "replaces is '-1', expected the number of an answer"),
        ("replaces", "9" * 30, "replaces is"),
        ("replaces", "٣", "replaces is"),
        ("colour", "red", "unknown field 'colour'"),
    ],
)
def test_a_crafted_field_is_refused_with_the_reason(
    server: Server, field: str, value: str, reason: str
) -> None:
    id = server.session.order[0].transition.id
    form = {"id": id, "nonce": "n", "seconds": "1", "replaces": "0", "answer": ":none"}
    status, text, _ = server.ask(
        "POST", f"/{server.token}/label", list((form | {field: value}).items())
    )
    assert status == 400
    assert reason in text
    assert server.store.labels() == []


def test_a_field_given_twice_is_refused(server: Server) -> None:
    first, second = (r.transition.id for r in server.session.order[:2])
    form = [("id", first), ("id", second), ("nonce", "n"), ("answer", ":none")]
    status, text, _ = server.ask("POST", f"/{server.token}/label", form)
    assert (status, text) == (400, "this is no label: id is given 2 times")
    assert server.label(first, NAMES[0], NAMES[0]) == 400
    assert server.store.labels() == []


def test_a_nonce_of_another_answer_is_told_and_not_dropped(server: Server) -> None:
    id = server.session.order[0].transition.id
    assert server.label(id, ":none", nonce="n1") == 303
    assert server.label(id, ":none", nonce="n1") == 303  # a retry
    assert server.label(id, NAMES[0], nonce="n1") == 409
    assert [label.kind() for label in server.store.labels()] == ["none"]


def test_of_two_windows_the_later_answer_does_not_win_in_silence(server: Server) -> None:
    """Both show the first step with no answer; the second to answer is told, and may insist."""
    id = server.session.order[0].transition.id

    def answer(kind: str, nonce: str, replaces: int) -> tuple[int, str]:
        form = {"id": id, "nonce": nonce, "replaces": str(replaces), "answer": kind}
        return server.ask("POST", f"/{server.token}/label", list(form.items()), X_Part="main")[:2]

    assert answer(":none", "tab1", 0)[0] == 200
    status, page = answer(NAMES[0], "tab2", 0)
    assert status == 409
    assert "In another window you answered &#39;none&#39; meanwhile" in page
    assert f'data-id="{id}"' in page
    assert 'name="replaces" value="1"' in page
    assert "You answered: none." in page
    assert [label.kind() for label in server.store.labels()] == ["none"]
    assert answer(NAMES[0], "tab2 again", 1)[0] == 200
    assert [label.kind() for label in server.store.labels()] == [NAMES[0]]


def test_undo_takes_back_only_what_the_page_showed_as_last(server: Server) -> None:
    first, second = (r.transition.id for r in server.session.order[:2])
    server.label(first, ":none", nonce="n1")
    server.label(second, ":none", nonce="n2")

    def undo(last: str) -> tuple[int, str]:
        return server.ask("POST", f"/{server.token}/undo", [("last", last)], X_Part="main")[:2]

    assert undo("1")[0] == 409  # another window has answered since
    assert len(server.store.labels()) == 2
    assert undo("2")[0] == 200
    status, page = undo("2")  # the answer to the first was lost on its way: it is sent again
    assert (status, f'data-id="{second}"' in page) == (200, True)
    assert [label.id for label in server.store.labels()] == [first]
    assert undo("nan")[0] == 400


def test_ones_own_labels_can_be_browsed_and_changed(server: Server) -> None:
    first, second = (r.transition.id for r in server.session.order[:2])
    server.label(first, ":none", nonce="n1")
    server.label(second, ":unsure", nonce="n2")
    page = server.ask("GET", f"/{server.token}/mine")[1]
    assert "2 labels of ann" in page
    assert page.index(f"?id={second}") < page.index(f"?id={first}")
    step = server.ask("GET", f"/{server.token}/?id={first}")[1]
    assert "You answered: none." in step
    form = {"id": first, "nonce": "n3", "replaces": "1", "answer": NAMES[0]}
    assert server.ask("POST", f"/{server.token}/label", list(form.items()))[0] == 303
    step = server.ask("GET", f"/{server.token}/?id={first}")[1]
    assert f"You answered: {NAMES[0]}. (none, then {NAMES[0]})" in step
    kinds = [label.kind() for label in server.store.history(first, "ann")]
    assert kinds == ["none", NAMES[0]]


def test_a_label_says_what_was_seen_on_which_page(server: Server) -> None:
    server.session.set_version = "room-v1@abc"
    server.label(server.session.order[0].transition.id, ":none")
    [label] = server.store.labels()
    assert (label.reads, label.set, label.page) == ("screens", "room-v1@abc", PAGE)


def test_large_bodies_and_other_files_are_refused(server: Server) -> None:
    assert server.label("x" * 70_000, ":none") == 413
    for name in ("../server.py", "%2e%2e%2fserver.py", "label.py"):
        assert server.ask("GET", f"/{server.token}/static/{name}")[0] == 404


def test_the_order_is_the_annotators_own_and_stays(tmp_path: Path) -> None:
    rows = [row(i) for i in range(20)]
    with LabelStore(tmp_path / "l.sqlite") as store:
        orders = [Session(who, rows, {"room": TASK}, store).order for who in ("ann", "ann", "bob")]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert orders[0] != rows


def test_no_key_has_two_meanings() -> None:
    assert len(set(KEYS)) == len(KEYS)
    assert not set(KEYS) & set("lmnuz?")
