"""Serves one page and what it asks for: on 127.0.0.1, to who has the token, and to no other origin.

The standard library's server is enough: one reader, a few connections, answers that are lines of JSON. It adds no
dependency, and a closed tab is a write that fails.
"""

from __future__ import annotations

import hmac
import json
import secrets
import socket
import socketserver
import sys
import traceback
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gapless.errors import DataError, GaplessError

HOST = "127.0.0.1"
MOST = 65_536
"""Bytes of a request's body, at most."""
PATIENCE = 30.0
"""Seconds that a connection may stand still before it is given up."""
Document = dict[str, Any]
Door = Callable[[Document], Generator[Document]]
"""Takes what the page sent and gives documents, each sent as it comes; it is closed when the reader goes away."""


@dataclass(frozen=True)
class Site:
    """page: the HTML, given the token. policy: its content security policy. doors: by path, such as `/train`."""

    page: Callable[[str], str]
    policy: str
    doors: Mapping[str, Door]


class Server(ThreadingHTTPServer):
    """One site on a port of 127.0.0.1; `url` opens it, token included.

    Args:
        port: 0 takes a free one.

    Raises:
        DataError: the port is taken.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, site: Site, port: int = 0):
        self.site, self.token = site, secrets.token_urlsafe(24)
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise DataError(f"--port {port}: cannot be listened on: {error}; leave it out for a free one") from error

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # the other one asks a name server what 127.0.0.1 is called
        self.server_name, self.server_port = HOST, int(self.server_address[1])

    @property
    def names(self) -> tuple[str, str]:
        """What a browser may call this server."""
        return f"{HOST}:{self.server_port}", f"localhost:{self.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.names[0]}/?token={self.token}"

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any) -> None:
        """A reader that goes away is no error; anything else is a mistake of ours and is shown."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]  # it is made by no other
    timeout = PATIENCE
    server_version, sys_version = "gapless", ""

    def do_GET(self) -> None:
        """The page, for who has the token in the address."""
        parts = urlsplit(self.path)
        token = parse_qs(parts.query).get("token", [""])[0]
        if not self._welcome(token):
            return
        if parts.path != "/":
            self._refuse(404, "there is nothing here")
            return
        body = self.server.site.page(self.server.token).encode()
        self._head(200, "text/html; charset=utf-8", len(body))
        self.wfile.write(body)

    def do_POST(self) -> None:
        """What the page asks for, for who has the token in the header."""
        if not self._welcome(self.headers.get("X-Gapless-Token", "")):
            return
        door = self.server.site.doors.get(self.path)
        if door is None:
            self._refuse(404, "there is nothing here")
            return
        asked = self._asked()
        if asked is not None:
            self._head(200, "application/x-ndjson", None)
            self._answer(door, asked)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: addresses hold the token."""

    def _welcome(self, token: str) -> bool:
        """Host, origin and token are right; otherwise it is refused. A page of another site has another origin, and a
        name that was made to point here is no name of ours."""
        own = {f"http://{name}" for name in self.server.names}
        if self.headers.get("Host") not in self.server.names:
            self._refuse(421, "this server answers to 127.0.0.1 alone")
        elif self.headers.get("Origin", next(iter(own))) not in own:
            self._refuse(403, "another page's request")
        elif not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self._refuse(403, "the token is missing or wrong: open the address that the command printed")
        else:
            return True
        return False

    def _asked(self) -> Document | None:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > MOST:
            self._refuse(413, f"a request has at most {MOST} bytes and says how many")
            return None
        try:
            found = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            self._refuse(400, "a request is a JSON object")
            return None
        return found  # pyright: ignore[reportUnknownVariableType]

    def _answer(self, door: Door, asked: Document) -> None:
        """Line by line; a reader that went away ends the work."""
        with closing(_told(door, asked)) as documents:
            for document in documents:
                self.wfile.write(json.dumps(document, allow_nan=False).encode() + b"\n")

    def _refuse(self, status: int, why: str) -> None:
        body = json.dumps({"error": why}).encode()
        self._head(status, "application/json", len(body))
        self.wfile.write(body)

    def _head(self, status: int, kind: str, length: int | None) -> None:
        self.send_response(status)
        lines = {
            "Content-Type": kind,
            "Cache-Control": "no-store",
            "Connection": "close",
            "Content-Security-Policy": f"{self.server.site.policy}; frame-ancestors 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        if length is not None:
            lines["Content-Length"] = str(length)
        for name, value in lines.items():
            self.send_header(name, value)
        self.end_headers()


def _told(door: Door, asked: Document) -> Generator[Document]:
    """What a door gives, with an error as its last document."""
    try:
        with closing(door(asked)) as documents:
            yield from documents
    except GaplessError as error:
        yield {"error": str(error)}
    except Exception as error:
        traceback.print_exc()
        yield {"error": f"{type(error).__name__}: {error}; the terminal has more"}
