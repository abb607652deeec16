"""Ctrl-C while DuckDB is imported takes effect after that: inside its initialization it can abort the process."""

import os
import signal

import pytest

from nba_props.sources.parquet_file import _uninterrupted


def test_ctrl_c_takes_effect_after_the_block() -> None:
    ended = []

    def interrupted() -> None:
        with _uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert ended == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
