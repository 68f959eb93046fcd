"""Recipe of the guide for a vision-language model, against a server that answers as one would."""

import base64
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import page_blocks
import pytest
from comparisons import image_store
from PIL import Image

from rlpriors.preferences import CallableLabeler, ClipPainter, Label, cut_clip

GUIDE = Path(__file__).parents[3] / "docs/guides/compare_episodes.md"


class Model(BaseHTTPRequestHandler):
    """Model that prefers the attempt whose last picture has its white column farther to the right."""

    received: dict[str, Any]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Model.received = body
        prompt, *pictures = body["messages"][0]["content"]
        columns = [column_of(picture["image_url"]["url"]) for picture in pictures]
        first, second = columns[len(columns) // 2 - 1], columns[-1]
        answer = f"{prompt['text'][:20]} ... the columns are {first} and {second}.\n{int(second > first)}"
        content = json.dumps({"choices": [{"message": {"content": answer}}]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def column_of(url: str) -> int:
    kind, _, data = url.partition(";base64,")
    assert kind == "data:image/png"
    with Image.open(BytesIO(base64.b64decode(data))) as image:
        return int(np.asarray(image)[0, ::20, 0].argmax())


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Model)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def names() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(page_blocks.block_with(GUIDE, "chat/completions"), names)
    return names


def test_pictures_go_to_the_model_and_an_answer_comes_back(names: dict[str, Any], url: str) -> None:
    store = image_store()
    ask: Callable[..., str] = names["ask_model"]

    def compare(task: str, first: Any, second: Any) -> int:
        answer: int = names["compare"](task, first, second, ask=lambda *words: ask(*words, url=url))
        return answer

    labeler = CallableLabeler(compare, ClipPainter(store), n_frames=2, both_orders=True)
    early, late = cut_clip(store, 0, 0, 3), cut_clip(store, 0, 2, 3)
    assert labeler("go right", early, late) == Label(1)
    assert labeler("go right", late, early) == Label(0)
    (message,) = Model.received["messages"]
    prompt, *pictures = message["content"]
    assert "Task: go right." in prompt["text"]
    assert "The first 2 images show attempt A" in prompt["text"]
    assert [column_of(picture["image_url"]["url"]) for picture in pictures] == [0, 3, 2, 5]


def test_an_unclear_answer_is_undecided(names: dict[str, Any]) -> None:
    pictures = image_store().obs[:2]
    for text, label in (("B, I think.", -1), ("B.\n1", 1), ("", -1)):
        assert names["compare"]("go", pictures, pictures, ask=lambda *_, text=text: text) == label
