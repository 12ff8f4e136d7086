"""`gapless playground` as a reader starts and ends it."""

import os
import signal
from urllib.request import urlopen

from command import ended, gapless, start


def test_it_says_its_address_serves_and_ends_with_control_c() -> None:
    process = start("playground", "--no-open")
    assert process.stderr is not None
    address = process.stderr.readline().strip()
    assert address.startswith("http://127.0.0.1:") and "?token=" in address
    with urlopen(address, timeout=60) as answer:
        assert b"gapless playground" in answer.read()
    os.kill(process.pid, signal.SIGINT)
    assert ended(process).code == 0


def test_data_that_is_nothing_for_it_is_said() -> None:
    ran = gapless("playground", "--no-open", "--data", "no-such-file.csv")
    assert ran.code == 3 and "no-such-file.csv" in ran.err
