"""The source that a text names.

As in the environment variable NBA_DATA, or after `--source`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from nba_props.errors import DataError
from nba_props.sources import Source

NBA_DATA = "NBA_DATA"
FORMS = "a folder of box scores, synthetic, recorded:DIR, live, csv:MAPPING or module:Class"
_CLASS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def is_class(text: str) -> bool:
    """Return whether a text has the form `module:Class`.

    >>> is_class("my_source:Games"), is_class("./nba"), is_class("/data:old/nba")
    (True, False, False)
    """
    return _CLASS.fullmatch(text) is not None


def environment(*, where: str = NBA_DATA) -> str:
    """Return the value of NBA_DATA.

    Raises DataError, naming `where`, when it is not set.
    """
    text = os.environ.get(NBA_DATA, "")
    if not text:
        what = "is not set, so no date is known" if where == NBA_DATA else f"is missing and {NBA_DATA} is not set"
        raise DataError(where, problem=what, fix=f"set {NBA_DATA} to {FORMS}")
    return text


def named_source(text: str) -> Source:
    """Return the source of a text: one of FORMS.

    Only the module of that source is loaded. Raises DataError for a folder that does not exist, for `live` without its
    extra, for a mapping file that cannot be read, and for a class that is no source.
    """
    if text == "synthetic":
        from nba_props.sources.synthetic import SyntheticSource

        return SyntheticSource()
    if text == "live":
        from nba_props.sources.live import LiveSource, report_repeats

        report_repeats()  # a source named by a text serves a command, whose standard output may be JSON
        return LiveSource()
    word, colon, folder = text.partition(":")
    if colon and word == "recorded":
        from nba_props.sources.recorded import RecordedSource

        return RecordedSource(Path(folder))
    if colon and word == "csv":
        from nba_props.own.csv_file import csv_source

        return csv_source(Path(folder))
    if colon and is_class(text):
        from nba_props.own.load import load_source

        return load_source(text)
    from nba_props.sources.parquet import ParquetSource

    return ParquetSource(Path(text))
