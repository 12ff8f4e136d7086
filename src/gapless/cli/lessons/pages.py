"""`gapless playground`, `gapless view` and `gapless compare`: parse, call, print."""

from __future__ import annotations

import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gapless.cli.screen import say
from gapless.errors import UsageError

if TYPE_CHECKING:
    from gapless.live.server import Site

Port = Annotated[int, typer.Option(help="Of 127.0.0.1. Default: a free one.", min=0, max=65535)]
Quiet = Annotated[bool, typer.Option("--no-open", help="Only print the address; open no browser.")]


def playground(
    data: Annotated[
        str | None, typer.Option(metavar="DATA", help="Your own pictures or table, as gapless tune takes them.")
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of --data to predict.")] = None,
    port: Port = 0,
    quiet: Quiet = False,
) -> int:
    """A page in the browser: turn the four pillars on a network that trains while you watch."""
    from gapless.cli.lessons.lab import own_data
    from gapless.live.playground.page import site
    from gapless.live.playground.training import Stage
    from gapless.live.playground.worlds import fits

    # torch's optimizers load it, which takes a second or two: that is when the browser starts
    threading.Thread(target=import_module, args=("torch._dynamo",), daemon=True).start()
    own = own_data(data, target)
    if own is not None:
        fits(own)
    _serve(site(Stage(own)), port, quiet)
    return 0


def view(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run of gapless tune or diagnose.")],
    port: Port = 0,
    quiet: Quiet = False,
) -> int:
    """A page in the browser that shows a run while it goes on: the race, what is being tried, the time left."""
    from gapless.live.watch.page import site

    _serve(site(run.expanduser()), port, quiet)
    return 0


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN ...", help="Folders of finished runs of gapless tune.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page, one HTML file.")] = Path("compare.html"),
) -> int:
    """Puts finished runs side by side on a page that works offline."""
    from gapless.api import load_result
    from gapless.files import write_atomically
    from gapless.live.compare import named, page

    if len(runs) < 2:
        raise UsageError(f"compare: give two runs or more, got {len(runs)}")
    places = [run.expanduser() for run in runs]
    found = [load_result(place).content for place in places]
    write_atomically(out.expanduser(), page(list(zip(named(places), found, strict=True))).encode())
    say(f"{out} (opens in any browser, works offline)")
    return 0


def _serve(site: Site, port: int, quiet: bool) -> None:
    """Serves until Ctrl-C."""
    import webbrowser

    import torch

    from gapless.live.server import Server

    torch.set_num_threads(1)  # the models are small: more threads only wait for each other
    with Server(site, port) as server:
        say(f"{server.url}\n  for this machine alone, and who has the address; Ctrl-C ends it.")
        if not quiet:
            webbrowser.open(server.url)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            say("")
