"""Answers of a person on a local page, also in a real browser where there is one."""

import json
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import browser
import pytest
from comparisons import counting_store, image_store

from rlpriors.data.episodes import EpisodeStore
from rlpriors.preferences import (
    ClipPainter,
    PageLabeler,
    PreferenceSet,
    collect_preferences,
    uniform_pairs,
)

NEEDS_BROWSER = pytest.mark.skipif(browser.PROGRAM is None, reason="no Chromium on this machine")


class Session(Thread):
    """Labeling session in the background, as the command runs one."""

    def __init__(self, store: EpisodeStore, n: int, path: Path, port: int = 0) -> None:
        super().__init__(daemon=True)
        self.store, self.path = store, path
        self.pairs = uniform_pairs(store, n, 3, seed=1)
        self.labeler = PageLabeler(ClipPainter(store), port)
        self.labels: PreferenceSet | None = None
        self.start()

    def run(self) -> None:
        with self.labeler as labeler:
            self.labels = collect_preferences(labeler, self.store, self.pairs, 3, "go right", self.path)

    def on_disk(self) -> list[int]:
        return PreferenceSet.load(self.path).labels.tolist()

    def result(self) -> PreferenceSet:
        self.join(30)
        assert self.labels is not None
        return self.labels


class Client:
    """Requests that the page sends."""

    def __init__(self, url: str) -> None:
        self.host, self.path = urlsplit(url).netloc, urlsplit(url).path
        self.number = 0

    def request(self, method: str, path: str, body: Any = None) -> bytes:
        connection = HTTPConnection(self.host, timeout=30)
        headers = {"Content-Type": "application/json"}
        connection.request(method, self.path + path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        assert response.status == 200, content
        return content

    def next(self) -> Any:
        pair = json.loads(self.request("GET", f"pair?after={self.number}"))
        self.number = pair.get("number", 0)
        return pair

    def answer(self, key: str) -> None:
        self.request("POST", "answer", {"number": self.number, "key": key})


def test_a_session_by_the_addresses_of_the_page(tmp_path: Path) -> None:
    session = Session(image_store(), 4, tmp_path / "labels.jsonl")
    client = Client(session.labeler.url)
    keys = ["1", "2", "u", "0", "1", "2"]
    for number, key in enumerate(keys):
        pair = client.next()
        assert pair["task"] == "go right"
        assert (pair["done"], pair["total"]) == ([0, 1, 2, 1, 2, 3][number], 4)
        assert len(session.on_disk()) == pair["done"]  # the answer before is on the disk
        assert client.request("GET", f"clip/{pair['number']}/first").startswith(b"GIF8")
        client.answer(key)
    assert client.next()["message"] == "The session has ended."
    assert session.result().labels.tolist() == session.on_disk() == [0, -1, 0, 1]


def test_stop_keeps_the_labels(tmp_path: Path) -> None:
    session = Session(counting_store(), 4, tmp_path / "labels.jsonl")
    client = Client(session.labeler.url)
    for key in ("2", "q"):
        client.next()
        client.answer(key)
    assert client.next()["finished"]
    assert session.result().labels.tolist() == session.on_disk() == [1]


def test_ports_in_bounds() -> None:
    with pytest.raises(ValueError, match=r"`port` must be in 0\.\.65535. Received 70000"):
        PageLabeler(ClipPainter(counting_store()), 70000)


@NEEDS_BROWSER
def test_ten_pairs_in_a_browser(tmp_path: Path) -> None:
    """Clicks and keys, undo, a reloaded page, pictures that load, and the end."""
    session = Session(image_store(12, 16), 10, tmp_path / "labels.jsonl")
    with browser.Browser(tmp_path / "profile") as page:
        page.open(session.labeler.url)
        number = 1
        for answer in (*"1201", "reload", *"u", *"2120120"):
            page.wait(f"document.body && document.body.dataset.ready === '{number}'")
            assert page.run("[...document.images].map((image) => image.naturalWidth)") == [240, 240]
            done = len(session.on_disk())
            assert f"{done} of 10 pairs" in page.run("document.getElementById('state').textContent")
            if answer == "reload":
                page.send("Page.reload")
                page.wait("document.body && !document.body.dataset.ready")
                continue
            if number % 2:
                page.press(answer)
            else:
                page.click(f"button[data-answer='{answer}']")
            number += 1
            if number == 4:
                page.screenshot(tmp_path / "page.png")
        end = page.wait("document.body.dataset.ended && document.getElementById('state').textContent")
        assert end == "The session has ended. 10 of 10 pairs have an answer. You can close this page."
    assert session.result().labels.tolist() == session.on_disk() == [0, 1, -1, 1, 0, 1, -1, 0, 1, -1]


@NEEDS_BROWSER
def test_keys_count_only_for_a_pair_that_is_visible(tmp_path: Path) -> None:
    """A key that is pressed again at once does not answer the next pair."""
    session = Session(image_store(12, 16), 3, tmp_path / "labels.jsonl")
    with browser.Browser(tmp_path / "profile") as page:
        page.open(session.labeler.url)
        for number in range(1, 4):
            page.wait(f"document.body && document.body.dataset.ready === '{number}'")
            page.run("for (const key of '12012') document.onkeydown(new KeyboardEvent('keydown', { key }))")
        page.wait("document.body.dataset.ended")
    assert session.result().labels.tolist() == [0, 0, 0]


@NEEDS_BROWSER
def test_a_page_reports_that_the_program_has_ended(tmp_path: Path) -> None:
    session = Session(image_store(), 3, tmp_path / "labels.jsonl")
    with browser.Browser(tmp_path / "profile") as page:
        page.open(session.labeler.url)
        page.wait("document.body && document.body.dataset.ready === '1'")
        session.labeler._server._http.shutdown()
        session.labeler._server._http.server_close()
        page.press("1")
        page.wait("document.body.dataset.ended")
        assert "The program has ended" in page.run("document.getElementById('state').textContent")
