"""The playground's page in a real Chromium: keyboard, screen readers, phone width, dark mode, and the end of a tab."""

import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from live_browser import Tab, tab
from live_server import serving

from gapless.live.playground.page import site
from gapless.live.playground.training import Stage
from gapless.live.server import Server
from gapless.recipe import Recipe

REST = "started > 0 && !waiting && finished === started"
"""No training runs, and none is about to."""


@dataclass(frozen=True)
class Open:
    stage: Stage
    server: Server
    tab: Tab


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Generator[Open]:
    """The page with short trainings, one of which is done."""
    stage = Stage(pace=0)
    with serving(site(stage)) as server, tab(tmp_path_factory.mktemp("browser")) as shown:
        shown.size(1200, 900)
        shown.open(server.url)
        turn(shown, "epochs", 0)
        shown.until(REST)
        yield Open(stage, server, shown)
        assert shown.problems == []
        assert {url.partition("?")[0] for url in shown.asked} == {
            f"http://127.0.0.1:{server.server_port}/",
            f"http://127.0.0.1:{server.server_port}/train",
        }


def turn(shown: Tab, slider: str, place: int) -> None:
    """A slider put to one of its places, as a pointer does it."""
    shown.value(
        f"(() => {{ const s = document.getElementById('{slider}'); s.value = {place};"
        "s.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


def ink(shown: Tab, canvas: str) -> int:
    """How many different colors a canvas has."""
    return shown.value(
        f"(() => {{ const c = document.getElementById('{canvas}');"
        "const d = new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer);"
        "return new Set(d).size; })()"
    )


def test_sliders_work_by_keyboard_and_say_their_value(page: Open) -> None:
    shown = page.tab
    shown.value("document.getElementById('hidden').focus()")
    shown.press("ArrowRight", 3)
    shown.until(REST)
    assert shown.value("document.getElementById('hidden').getAttribute('aria-valuetext')") == "20 %"
    assert shown.text("#hidden-value") == "20 %"
    recipe = Recipe.from_toml(shown.text("#recipe"))
    assert recipe.dropout.hidden == 0.2 and recipe.pillars() == ("dropout",)
    assert shown.text("#doubt-right").endswith("bits")
    shown.press("Home")
    shown.until(REST)
    assert not Recipe.from_toml(shown.text("#recipe")).active


def test_a_check_box_works_by_keyboard(page: Open) -> None:
    shown = page.tab
    for on in (True, False):
        shown.value("document.getElementById('batchnorm').focus()")
        shown.press(" ")
        shown.until(REST)
        assert Recipe.from_toml(shown.text("#recipe")).batchnorm.insert is on


def test_every_control_has_a_name_and_every_picture_a_sentence(page: Open) -> None:
    shown = page.tab
    named = "[...document.querySelectorAll('input, select')].filter(e => !e.labels.length).map(e => e.id)"
    assert shown.value(named) == []
    unsaid = (
        "[...document.querySelectorAll('canvas')].filter(c => c.getAttribute('role') !== 'img' || "
        "!(c.getAttribute('aria-label') || document.getElementById(c.getAttribute('aria-labelledby')).textContent))"
    )
    assert shown.value(f"{unsaid}.length") == 0
    assert shown.text("#state").startswith("Done: ") and "a gap of" in shown.text("#state")
    assert min(ink(shown, name) for name in ("view", "curves", "norms")) > 3


def test_a_phone_sees_all_of_it_and_dark_is_dark(page: Open) -> None:
    shown = page.tab
    paper = "getComputedStyle(document.body).backgroundColor"
    shown.size(360, 740)
    shown.dark(True)
    assert shown.value("document.documentElement.scrollWidth") <= 360
    assert shown.value(f"{paper}.match(/\\d+/g).every(v => v < 60)")
    shown.until("document.getElementById('view').width <= 360")
    assert ink(shown, "view") > 3
    shown.dark(False)
    shown.size(1200, 900)
    assert shown.value(f"{paper}.match(/\\d+/g).every(v => v > 200)")


def test_pictures_challenges_and_the_next_training(page: Open) -> None:
    shown = page.tab
    shown.value("document.querySelector('[data-challenge=digits]').click()")
    assert shown.value("document.getElementById('jitter').closest('.slider').hidden")
    assert not shown.value("document.getElementById('rotate').closest('.slider').hidden")
    turn(shown, "epochs", 0)
    shown.until("document.getElementById('met-digits').textContent.startsWith('Not yet: new rows ')")
    shown.until(REST)
    assert "Training pictures" in shown.text("#view-caption")
    turn(shown, "rows", 0)
    shown.until("document.getElementById('met-digits').textContent.startsWith('The data was changed')")


def test_a_closed_tab_stops_the_work(page: Open, tmp_path: Path) -> None:
    stage = Stage()  # at its own pace: it would go on for 40 seconds
    with serving(site(stage)) as server, tab(tmp_path) as shown:
        shown.open(server.url)
        turn(shown, "epochs", 5)
        shown.until("document.getElementById('epoch').textContent.endsWith('of 1000')")
        assert stage.trainings == 1
    while stage.trainings:
        time.sleep(0.01)
