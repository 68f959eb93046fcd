"""Web server of the page: secret address, one answer per question, limits."""

import json
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse
from threading import Thread
from typing import Any

import pytest

from rlpriors.preferences.labelers.server import PageServer, Question

QUESTION = Question("run", (b"one", "png"), (b"two", "gif"))


class Page:
    """Client of a server, as the page is one."""

    def __init__(self, server: PageServer) -> None:
        self.server = server
        self.path = f"/{server.token}/"

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> HTTPResponse:
        connection = HTTPConnection("127.0.0.1", int(self.server.url.split(":")[2].split("/")[0]), timeout=30)
        with suppress(BrokenPipeError, ConnectionResetError):  # a refused body
            connection.request(method, path, body, headers)
        response = connection.getresponse()
        response.content = response.read()  # type: ignore[attr-defined]
        connection.close()
        return response

    def get(self, path: str, **headers: str) -> HTTPResponse:
        return self.ask("GET", self.path + path, **headers)

    def pair(self, after: int) -> Any:
        return json.loads(self.get(f"pair?after={after}").content)  # type: ignore[attr-defined]

    def answer(self, number: Any, key: Any, kind: str = "application/json") -> int:
        body = json.dumps({"number": number, "key": key}).encode()
        return self.ask("POST", self.path + "answer", body, **{"Content-Type": kind}).status


@pytest.fixture
def page() -> Iterator[Page]:
    server = PageServer()
    yield Page(server)
    server.parted = True
    server.close("Done.")


class Asking(Thread):
    """Question that waits for its answer, as a session does."""

    def __init__(self, server: PageServer, question: Question = QUESTION) -> None:
        super().__init__(daemon=True)
        self.server, self.question, self.key = server, question, ""
        self.start()

    def run(self) -> None:
        self.key = self.server.ask(self.question)

    def result(self) -> str:
        self.join(30)
        return self.key


def test_a_question_and_its_answer(page: Page) -> None:
    page.server.done, page.server.total = 3, 8
    asking = Asking(page.server)
    assert page.pair(0) == {
        "finished": False,
        "number": 1,
        "task": "run",
        "done": 3,
        "total": 8,
        "first": "png",
        "second": "gif",
    }
    for side, content, kind in (("first", b"one", "image/png"), ("second", b"two", "image/gif")):
        response = page.get(f"clip/1/{side}")
        assert (response.status, response.content) == (200, content)  # type: ignore[attr-defined]
        assert response.headers["Content-Type"] == kind
    assert page.answer(1, "2") == 200
    assert asking.result() == "2"


def test_the_page_waits_for_the_next_question(page: Page) -> None:
    answers: list[Any] = []
    waiting = Thread(target=lambda: answers.append(page.pair(0)))
    waiting.start()
    asking = Asking(page.server)
    waiting.join(30)
    assert answers[0]["number"] == 1
    page.answer(1, "1")
    assert asking.result() == "1"


def test_a_wait_has_a_limit(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlpriors.preferences.labelers.server.POLL_SECONDS", 0.1)
    assert page.pair(0) == {"finished": False, "number": 0}


def test_a_question_takes_one_answer(page: Page) -> None:
    """Two pages, or a double click, never answer a question that was not shown."""
    first = Asking(page.server)
    page.pair(0)
    assert page.answer(2, "1") == 409
    assert page.answer(0, "1") == 409
    assert page.answer(1, "1") == 200
    assert page.answer(1, "2") == 409
    assert first.result() == "1"
    second = Asking(page.server)
    assert page.pair(1)["number"] == 2
    assert page.answer(1, "2") == 409
    assert page.get("clip/1/first").status == 404  # pictures of a question that is over
    assert page.answer(2, "u") == 200
    assert second.result() == "u"


@pytest.mark.parametrize("key", ["3", "", None, 1, ["1"]])
def test_unknown_answers_are_refused(page: Page, key: Any) -> None:
    asking = Asking(page.server)
    page.pair(0)
    assert page.answer(1, key) == 400
    page.answer(1, "0")
    assert asking.result() == "0"


def test_bodies_are_small_json(page: Page) -> None:
    answer = page.path + "answer"
    kind = {"Content-Type": "application/json"}
    assert page.answer(1, "1", kind="text/plain") == 400
    assert page.ask("POST", answer, b"{", **kind).status == 400
    assert page.ask("POST", answer, b"[1]", **kind).status == 400
    assert page.ask("POST", answer, b" " * 2000, **kind).status == 400


def test_the_address_is_secret(page: Page) -> None:
    other = PageServer()
    other.close("Done.")
    assert other.token != page.server.token
    assert len(page.server.token) > 20
    for path in ("/", "/pair?after=0", "/answer", f"/{other.token}/", f"{page.path[:-2]}/", "/%C3%A9/"):
        assert page.ask("GET", path).status == 404
        assert page.ask("POST", path, b"{}").status == 404


def test_names_of_other_hosts_are_refused(page: Page) -> None:
    """A page elsewhere whose name leads to 127.0.0.1 is of no use."""
    assert page.get("", Host="evil.example").status == 404
    assert page.get("", Host="localhost:1234").status == 200  # a forwarded port


def test_the_server_listens_on_this_machine_only(page: Page) -> None:
    assert page.server.url.startswith("http://127.0.0.1:")
    assert page.server._http.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "path", ["nothing", "pair", "pair?after=x", "pair?after=-1", "clip/1/third", "clip/1"]
)
def test_unknown_addresses(page: Page, path: str) -> None:
    assert page.get(path).status in (400, 404)


def test_the_page_loads_nothing_from_elsewhere(page: Page) -> None:
    response = page.get("")
    html = response.content.decode()  # type: ignore[attr-defined]
    assert "First is better" in html
    assert "://" not in html
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_the_last_words_reach_the_page() -> None:
    server = PageServer()
    page = Page(server)
    asking = Asking(server)
    page.pair(0)
    page.answer(1, "1")
    asking.result()
    server.done, server.total = 1, 1
    answers: list[Any] = []
    waiting = Thread(target=lambda: answers.append(page.pair(1)))
    waiting.start()
    server.close("The session has ended.")
    waiting.join(30)
    assert answers == [{"finished": True, "message": "The session has ended.", "done": 1, "total": 1}]
    with pytest.raises(ConnectionRefusedError):
        page.pair(1)


def test_a_used_port_is_an_error(page: Page) -> None:
    with pytest.raises(OSError, match="in use"):
        PageServer(page.server._http.server_port)
