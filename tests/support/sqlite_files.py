"""Looking at a SQLite file from outside."""

import sqlite3
from pathlib import Path

import pytest


def says(refused: "pytest.ExceptionInfo[BaseException]", path: Path) -> str:
    return str(refused.value).replace(str(path), "PATH").replace(str(path.parent), "FOLDER")


def integrity(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()


def change(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()
