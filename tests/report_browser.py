"""A real headless Chromium for the tests of pages: what it makes of a page, and what it asks of the network."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-default-apps",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--virtual-time-budget=3000",
)
OWN = re.compile(
    r"^(http://)?((clients\d|accounts|www|android\.clients|mtalk)\.google|"
    r"(update|safebrowsing|optimizationguide-pa|content-autofill)\.googleapis)\.com[:/]"
)
"""What Chromium asks for on its own account, whatever the page."""


def binary() -> str:
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise AssertionError(f"tests of pages need a browser: none of {', '.join(NAMES)} is on PATH; install chromium")


@dataclass(frozen=True)
class Seen:
    """The document after its scripts ran, and what the browser said on its console."""

    dom: str
    console: str


def look(html: str, folder: Path, *flags: str) -> Seen:
    """Loads the page from a file in a fresh profile."""
    page = folder / "page.html"
    page.write_text(html, "utf-8")
    command = [binary(), *QUIET, f"--user-data-dir={folder / 'profile'}", *flags, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    console = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if ":CONSOLE" in line]
    return Seen(done.stdout.decode("utf-8"), "\n".join(console))


def without_policy(html: str) -> str:
    """The same page without its content security policy, so that a test can put a script of its own into the copy."""
    bare, found = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>\n', "", html)
    assert found == 1, "the page has no content security policy"
    return bare


def with_script(html: str, script: str) -> str:
    """A copy that runs `script` after everything else."""
    return without_policy(html).replace("</body>", f"<script>{script}</script></body>")


@contextmanager
def recorder() -> Iterator[tuple[list[str], list[str]]]:
    """A proxy that answers nothing useful and writes down every address a page asks for; gives list and flags."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not OWN.match(self.path):
                asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        do_POST = do_HEAD = do_CONNECT = do_OPTIONS = do_GET

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield asked, [f"--proxy-server=http://127.0.0.1:{server.server_port}", "--proxy-bypass-list=<-loopback>"]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
