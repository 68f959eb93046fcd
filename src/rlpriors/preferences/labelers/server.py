"""Web server of the page on which a person compares segments.

`Question`    one comparison, as the page shows it
`PageServer`  server on 127.0.0.1 with a secret address

The addresses below `http://127.0.0.1:<port>/<token>/` are: the page itself, `pair?after=<n>` (JSON of the
next question, which waits for it), `clip/<n>/<side>` (pictures), and `answer` (POST of JSON with `number` and
`key`).  The token keeps other users of the machine out.  The page loads nothing from elsewhere.
"""

import json
import secrets
from hmac import compare_digest
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from socketserver import TCPServer
from threading import Condition, Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

__all__ = ["KEYS", "PageServer", "Question"]

KEYS = ("1", "2", "0", "u", "q")
"""Answers of the page: first, second, neither, undo, stop."""

HOST = "127.0.0.1"
POLL_SECONDS = 20.0
"""Time after which a request for the next question is answered without one."""
FAREWELL_SECONDS = 2.0
"""Longest wait for the page to learn that the session has ended."""
MOST_BYTES = 1000
"""Largest body of an answer."""
TYPES = {"gif": "image/gif", "png": "image/png"}
POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Question(NamedTuple):
    """One comparison, as the page shows it."""

    task: str
    """Task in words."""
    first: tuple[bytes, str]
    """Picture file of the first segment, and its type, "gif" or "png"."""
    second: tuple[bytes, str]
    """Picture file of the second segment, and its type."""


class PageServer:
    """Web server on 127.0.0.1 that shows one question at a time and waits for its answer.

    Args:
        port: port of the server; 0 for a free one.

    Raises:
        OSError: the port is in use.

    Example:
        >>> server = PageServer()
        >>> server.url.startswith("http://127.0.0.1:")
        True
        >>> server.close("Done.")
    """

    def __init__(self, port: int = 0) -> None:
        self.token = secrets.token_urlsafe(16)
        self.changed = Condition()
        self.number = 0
        """Number of the current question, from 1 on."""
        self.question: Question | None = None
        self.key: str | None = None
        """Answer to the current question."""
        self.done, self.total = 0, 1
        """Number of pairs that have an answer, and of all pairs."""
        self.message: str | None = None
        """Last words of the session; None before its end."""
        self.parted = False
        """True after a page has received the last words."""
        self._http = _Server((HOST, port), _Handler)
        self._http.page = self
        self.url = f"http://{HOST}:{self._http.server_port}/{self.token}/"
        Thread(target=self._http.serve_forever, args=(0.1,), daemon=True).start()

    def ask(self, question: Question) -> str:
        """Show a question, wait for the answer, and return it: one of `KEYS`."""
        with self.changed:
            self.number += 1
            self.question, self.key = question, None
            self.changed.notify_all()
            while not self.changed.wait_for(lambda: self.key is not None, timeout=1.0):
                pass  # a limit lets Ctrl-C end the wait on every system
            return str(self.key)

    def close(self, message: str) -> None:
        """Show the last words of the session on an open page, and end the server."""
        with self.changed:
            self.message = message
            self.changed.notify_all()
            if self.number:  # a page may be open
                self.changed.wait_for(lambda: self.parted, FAREWELL_SECONDS)
        self._http.shutdown()
        self._http.server_close()

    def next_pair(self, after: int) -> dict[str, Any]:
        """Return the question after number `after` as JSON values; wait for it for a limited time."""
        with self.changed:
            self.changed.wait_for(lambda: self._is_new(after) or self.message is not None, POLL_SECONDS)
            if self.message is not None:
                return {"finished": True, "message": self.message, "done": self.done, "total": self.total}
            question = self.question
            if question is None or not self._is_new(after):
                return {"finished": False, "number": after}
            return {
                "finished": False,
                "number": self.number,
                "task": question.task,
                "done": self.done,
                "total": self.total,
                "first": question.first[1],
                "second": question.second[1],
            }

    def part(self) -> None:
        """Record that a page has received the last words."""
        with self.changed:
            self.parted = True
            self.changed.notify_all()

    def answer(self, number: Any, key: Any) -> HTTPStatus:
        """Take the answer to question `number`; a second answer to the same question is refused."""
        with self.changed:
            if key not in KEYS:
                return HTTPStatus.BAD_REQUEST
            if type(number) is not int or number != self.number or self.key is not None or self.message:
                return HTTPStatus.CONFLICT
            self.key = key
            self.changed.notify_all()
            return HTTPStatus.OK

    def clip(self, number: str, side: str) -> tuple[bytes, str] | None:
        """Return the picture file of a side of the current question; None for any other."""
        with self.changed:
            if self.question is None or number != str(self.number) or side not in ("first", "second"):
                return None
            return self.question.first if side == "first" else self.question.second

    def _is_new(self, after: int) -> bool:
        """Return True if a question after `after` waits for its answer."""
        return self.number > after and self.key is None


class _Server(ThreadingHTTPServer):
    page: PageServer

    def server_bind(self) -> None:
        """Bind the socket, without the name lookup of the base class, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 60

    def do_GET(self) -> None:
        path = self._path()
        page = self.server.page
        if path is None:
            self._send(HTTPStatus.NOT_FOUND)
        elif path == []:
            html = (files("rlpriors.preferences.labelers") / "page.html").read_bytes()
            self._send(HTTPStatus.OK, html, "text/html; charset=utf-8")
        elif path == ["pair"]:
            after = parse_qs(urlsplit(self.path).query).get("after", [""])[0]
            if not after.isdecimal() or len(after) > 9:
                self._send(HTTPStatus.BAD_REQUEST)
                return
            pair = page.next_pair(int(after))
            self._send(HTTPStatus.OK, json.dumps(pair).encode(), "application/json")
            if pair["finished"]:
                page.part()
        elif len(path) == 3 and path[0] == "clip" and (clip := page.clip(path[1], path[2])) is not None:
            self._send(HTTPStatus.OK, clip[0], TYPES[clip[1]])
        else:
            self._send(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        if self._path() != ["answer"]:
            self._send(HTTPStatus.NOT_FOUND)
            return
        length = self.headers.get("Content-Length", "")
        json_type = self.headers.get("Content-Type", "").partition(";")[0] == "application/json"
        if not json_type or not length.isdecimal() or int(length) > MOST_BYTES:
            self._send(HTTPStatus.BAD_REQUEST)
            return
        try:
            answer = json.loads(self.rfile.read(int(length)))
            status = self.server.page.answer(answer["number"], answer["key"])
        except (KeyError, TypeError, ValueError):
            status = HTTPStatus.BAD_REQUEST
        self._send(status)

    def _path(self) -> list[str] | None:
        """Return the parts of the path after the token; None without the right token and host."""
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        _, token, *rest = [*urlsplit(self.path).path.split("/"), ""]
        if host not in (HOST, "localhost") or not compare_digest(
            token.encode(), self.server.page.token.encode()
        ):
            return None
        return [part for part in rest if part]

    def _send(self, status: HTTPStatus, content: bytes = b"", kind: str = "text/plain") -> None:
        try:
            self.send_response(status)
            for name, value in {
                "Content-Type": kind,
                "Content-Length": str(len(content)),
                "Cache-Control": "no-store",
                "Content-Security-Policy": POLICY,
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:
            pass  # the page was closed

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log: the addresses contain the token."""
