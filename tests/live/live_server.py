"""A site that is served for a test, and asked as a program would ask it."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse

from gapless.live.server import HOST, Server, Site


@contextmanager
def serving(site: Site) -> Generator[Server]:
    with Server(site) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def asked(server: Server, door: str, sent: object, **headers: str) -> Generator[HTTPResponse]:
    """The answer of a door, to be read line by line; afterwards the connection is closed."""
    connection = HTTPConnection(HOST, server.server_port, timeout=60)
    own = {"X-Gapless-Token": server.token, **{name.replace("_", "-"): value for name, value in headers.items()}}
    connection.request("POST", door, json.dumps(sent), own)
    answer = connection.getresponse()
    try:
        yield answer
    finally:
        answer.close()
        connection.close()
