"""A server on this machine with the endpoints of the Hugging Face hub that saved models use.

`HubServer`   repositories in memory, served to the real client
`use_hub`     settings of the real client: this server, an empty cache, a token
"""

import base64
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

WRITER, READER = "hf_writer", "hf_reader"
"""Tokens of the owner, who may write, and of a user, who may read public repositories only."""
LARGE = ".safetensors"
"""Files that the hub stores by their SHA-256; other ones are in git."""


@dataclass
class Repository:
    """A repository: its commits, newest last, and who may read it."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def commit(self, files: dict[str, bytes], message: str = "") -> str:
        """Add a commit with changed files, and return its hash."""
        oid = secrets.token_hex(20)
        self.commits[oid] = {**self.files(), **files}
        self.messages.append(message)
        return oid

    def files(self, revision: str = "main") -> dict[str, bytes]:
        """Return the files of a revision; none before the first commit."""
        known = list(self.commits)
        return self.commits[known[-1] if revision == "main" else revision] if known else {}

    def head(self, revision: str = "main") -> str | None:
        """Return the hash of a revision; None if there is none."""
        if revision in self.commits:
            return revision
        return list(self.commits)[-1] if revision == "main" and self.commits else None


class HubServer:
    """Server of repositories; a context manager that runs it in a thread."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []
        self.alter: Callable[[str, bytes], bytes] = lambda file, content: content
        """Change of a file on its way; its hash in the headers stays that of the original."""
        self.objects: dict[str, bytes] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.cdn = f"http://localhost:{self.server.server_port}/cdn"  # another host, as the hub's

    def __enter__(self) -> "HubServer":
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def downloads(self) -> list[str]:
        """Return the names of the files that were requested."""
        matches = (re.search(r"/resolve/[^/]+/(.+)$", request) for request in self.requests)
        return sorted({match[1] for match in matches if match})


def use_hub(monkeypatch: pytest.MonkeyPatch, url: str, cache: Path, token: str | None = WRITER) -> None:
    """Let the real client use the server at `url`, with an empty cache and a token.

    The client reads its environment variables when it is imported, so its constants are set as well.
    """
    from huggingface_hub import constants

    values: dict[str, Any] = {
        "ENDPOINT": url,
        "HUGGINGFACE_CO_URL_TEMPLATE": url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,  # which needs a server of its own
        "HF_TOKEN_PATH": str(cache / "no-token"),
        "HF_STORED_TOKENS_PATH": str(cache / "no-tokens"),
    }
    for name, value in values.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    if token is None:
        monkeypatch.delenv("HF_TOKEN", raising=False)
    else:
        monkeypatch.setenv("HF_TOKEN", token)


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def do_HEAD(self) -> None:
        self._get(send_body=False)

    def do_GET(self) -> None:
        self._get(send_body=True)

    def do_PUT(self) -> None:
        path, body = self._request()
        self.hub.objects[path.rpartition("/")[2]] = body
        self._answer(200)

    def do_POST(self) -> None:
        path, body = self._request()
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if self.headers.get("Authorization") != f"Bearer {WRITER}":
            return self._error(
                403 if "Authorization" in self.headers else 401, "", "A write token is needed."
            )
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if match := re.fullmatch(r"/(.+/.+)\.git/info/lfs/objects/batch", path):
            return self._json({"objects": [self._lfs_object(entry) for entry in json.loads(body)["objects"]]})
        if match := re.fullmatch(r"/api/models/(.+/.+)/preupload/main", path):
            files = [
                {
                    "path": entry["path"],
                    "uploadMode": "lfs" if entry["path"].endswith(LARGE) else "regular",
                    "shouldIgnore": False,
                }
                for entry in json.loads(body)["files"]
            ]
            return self._json({"files": files})
        if match := re.fullmatch(r"/api/models/(.+/.+)/commit/main", path):
            return self._commit(match[1], [json.loads(line) for line in body.splitlines()])
        return self._error(404, "", f"unknown endpoint {path}")

    def _create(self, request: dict[str, Any]) -> None:
        name = f"{request.get('organization') or 'alice'}/{request['name']}"
        if name in self.hub.repositories:
            return self._error(409, "", "You already created this model repo", url=f"{self.hub.url}/{name}")
        is_private = request.get("visibility") == "private" or bool(
            request.get("private")
        )  # new or old client
        self.hub.repositories[name] = Repository(is_private)
        return self._json({"url": f"{self.hub.url}/{name}", "name": name})

    def _lfs_object(self, entry: dict[str, Any]) -> dict[str, Any]:
        upload = {"href": f"{self.hub.url}/lfs/{entry['oid']}"}
        return {"oid": entry["oid"], "size": entry["size"], "actions": {"upload": upload}}

    def _commit(self, name: str, lines: list[dict[str, Any]]) -> None:
        files = {
            line["value"]["path"]: self.hub.objects[line["value"]["oid"]]
            if line["key"] == "lfsFile"
            else base64.b64decode(line["value"]["content"])
            for line in lines[1:]
        }
        oid = self.hub.repositories[name].commit(files, lines[0]["value"]["summary"])
        self._json({"commitUrl": f"{self.hub.url}/{name}/commit/{oid}", "commitOid": oid})

    def _get(self, send_body: bool) -> None:
        path, _ = self._request()
        if match := re.fullmatch(r"/cdn/([0-9a-f]{64})/(.+)", path):
            content = self.hub.alter(match[2], self.hub.objects[match[1]])
            return self._answer(200, content, send_body=send_body)
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path) or re.fullmatch(
            r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path
        )
        if match is None:
            return self._error(404, "", f"unknown endpoint {path}")
        repository = self.hub.repositories.get(match[1])
        is_owner = self.headers.get("Authorization") == f"Bearer {WRITER}"
        if repository is None or (repository.private and not is_owner):
            return self._error(404 if is_owner else 401, "RepoNotFound", "Repository not found")
        if repository.gated and not is_owner:
            return self._error(403, "GatedRepo", "Access to this model is restricted")
        head = repository.head(match[2] or "main")
        if match.re.groups == 2:
            return self._json({"id": match[1], "sha": head, "private": repository.private, "siblings": []})
        if head is None:
            return self._error(404, "RevisionNotFound", "Invalid rev id")
        return self._file(repository, head, match[3], send_body)

    def _file(self, repository: Repository, head: str, file: str, send_body: bool) -> None:
        content = repository.commits[head].get(file)
        commit = {"X-Repo-Commit": head}
        if content is None:
            return self._error(404, "EntryNotFound", "Entry not found", **commit)
        if file.endswith(LARGE):
            oid = sha256(content).hexdigest()
            self.hub.objects[oid] = content
            linked = {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(content))}
            return self._answer(302, **commit, **linked, Location=f"{self.hub.cdn}/{oid}/{file}")
        oid = sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return self._answer(200, self.hub.alter(file, content), send_body, **commit, ETag=f'"{oid}"')

    def _request(self) -> tuple[str, bytes]:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return path, body
        return path, self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _json(self, content: dict[str, Any]) -> None:
        self._answer(200, json.dumps(content).encode())

    def _error(self, status: int, code: str, message: str, **headers: str) -> None:
        if code:
            headers["X-Error-Code"] = code
        url = {"url": headers.pop("url")} if "url" in headers else {}
        body = json.dumps({"error": message, **url}).encode()
        headers["X-Error-Message"] = message
        self._answer(status, body, self.command != "HEAD", **headers)

    def _answer(self, status: int, body: bytes = b"", send_body: bool = True, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if send_body:
            self.wfile.write(body)
