"""Who is served: this machine, with the token, from the page's own origin; everyone else is turned away."""

import json
import time
from collections.abc import Generator
from http.client import HTTPConnection
from typing import Any

import pytest
from live_server import asked, serving

from gapless.errors import DataError, UsageError
from gapless.live.server import HOST, MOST, Server, Site

CLOSED: list[int] = []


def count(sent: dict[str, Any]) -> Generator[dict[str, Any]]:
    if "wrong" in sent:
        raise UsageError("wrong must be right")
    try:
        for number in range(int(sent.get("to", 3))):
            yield {"number": number}
    finally:
        CLOSED.append(1)


def broken(sent: dict[str, Any]) -> Generator[dict[str, Any]]:
    yield {"before": 1}
    raise RuntimeError("a mistake")


SITE = Site(lambda token: f"<p>{token}</p>", "default-src 'none'", {"/count": count, "/broken": broken})


@pytest.fixture(scope="module")
def server() -> Generator[Server]:
    with serving(SITE) as server:
        yield server


def got(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, str, dict[str, str]]:
    connection = HTTPConnection(HOST, server.server_port, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, dict(answer.getheaders())


def test_the_page_is_for_who_has_the_token(server: Server) -> None:
    status, text, headers = got(server, f"/?token={server.token}")
    assert (status, text) == (200, f"<p>{server.token}</p>")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert not any(name.startswith("Access-Control") for name in headers)
    for path in ("/", "/?token=", f"/?token={server.token}x", "/?token=%C3%A4"):
        assert got(server, path)[0] == 403
    assert got(server, f"/other?token={server.token}")[0] == 404


def test_other_hosts_and_origins_are_turned_away(server: Server) -> None:
    path = f"/?token={server.token}"
    assert got(server, path, Host="evil.example")[0] == 421
    assert got(server, path, Host=f"evil.example:{server.server_port}")[0] == 421
    assert got(server, path, Host=f"localhost:{server.server_port}")[0] == 200
    assert got(server, path, Origin="http://evil.example")[0] == 403
    assert got(server, path, Origin="null")[0] == 403
    with asked(server, "/count", {}, Origin="http://evil.example") as answer:
        assert answer.status == 403
    with asked(server, "/count", {}, Origin=f"http://127.0.0.1:{server.server_port}") as answer:
        assert answer.status == 200
    with asked(server, "/count", {}, X_Gapless_Token="no") as answer:
        assert answer.status == 403


def test_it_listens_on_this_machine_alone(server: Server) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"
    with pytest.raises(DataError, match=f"--port {server.server_port}"):
        Server(SITE, server.server_port)


def test_doors_answer_line_by_line_and_say_what_is_wrong(server: Server) -> None:
    with asked(server, "/count", {"to": 3}) as answer:
        assert [json.loads(line) for line in answer] == [{"number": n} for n in range(3)]
    with asked(server, "/count", {"wrong": 1}) as answer:
        assert json.loads(answer.read()) == {"error": "wrong must be right"}
    with asked(server, "/nowhere", {}) as answer:
        assert answer.status == 404
    with asked(server, "/count", [1]) as answer:
        assert answer.status == 400
    with asked(server, "/count", {}, Content_Length=str(MOST + 1)) as answer:
        assert answer.status == 413


def test_a_mistake_of_ours_is_said_and_shown(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    with asked(server, "/broken", {}) as answer:
        first, last = (json.loads(line) for line in answer)
    assert first == {"before": 1} and "a mistake" in last["error"]
    assert "RuntimeError: a mistake" in capfd.readouterr().err


def test_a_reader_that_goes_away_ends_the_work(server: Server) -> None:
    CLOSED.clear()
    with asked(server, "/count", {"to": 10**9}) as answer:
        assert json.loads(answer.readline()) == {"number": 0}
    while not CLOSED:
        time.sleep(0.01)
