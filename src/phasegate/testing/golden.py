"""Golden rows: cells of every type, and the text and the fingerprint that they have in every warehouse. Pure.

The literals are what base.fingerprint promises to data that are stored already: none may ever change. The contract of
the warehouses writes these rows; an adapter whose SQL can spell one row alone compares its text too.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from phasegate.base.table import Table

GOLDEN = Table(
    name="contract.golden",
    key=("kind", "id"),
    partition="kind",
    version="seen",
    volatile=("note",),
    columns={
        "id": "INTEGER", "kind": "VARCHAR", "yes": "BOOLEAN", "small": "SMALLINT", "whole": "INTEGER", "big": "BIGINT",
        "real": "DOUBLE", "real_0": "DOUBLE", "real_2": "DOUBLE", "real_14": "DOUBLE", "exact": "DECIMAL(38, 9)",
        "cents": "DECIMAL(10, 2)", "Text": "VARCHAR", "date": "DATE", "at": "TIMESTAMP",
        "zoned": "TIMESTAMP WITH TIME ZONE", "time": "TIME", "uuid": "UUID", "bytes": "BLOB", "never": "VARCHAR",
        "seen": "INTEGER", "note": "VARCHAR",
    },
    scales={"real_0": 0, "real_2": 2, "real_14": 14},
)  # fmt: skip


class GoldenRow(NamedTuple):
    """A row's text, and those of its cells that are not NULL; its partition is ``kind``."""

    text: str
    cells: Mapping[str, object]

    @property
    def row(self) -> dict[str, object]:
        """Return the whole row, as it is given to a warehouse."""
        return {**dict.fromkeys(GOLDEN.columns), "seen": 7, "note": "not of the content", **self.cells}


def _rows(kind: str, *rows: tuple[str, Mapping[str, object]]) -> tuple[GoldenRow, ...]:
    """Give the rows of one kind their ids; ``{}`` in a text is where id and kind stand."""
    return tuple(
        GoldenRow(text.replace("{}", f"id={number};kind={kind}"), {"id": number, "kind": kind, **cells})
        for number, (text, cells) in enumerate(rows, start=1)
    )


_WEST, _EAST = timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=45))
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)

ROWS: Mapping[str, tuple[GoldenRow, ...]] = {
    "boolean": _rows(
        "boolean",
        ("{};yes=true", {"yes": True}),
        ("{};yes=false", {"yes": False}),
    ),
    "integer": _rows(
        "integer",
        ("big=0;{};small=0;whole=0", {"big": 0, "small": 0, "whole": 0}),
        ("big=-1;{};small=-1;whole=-1", {"big": -1, "small": -1, "whole": -1}),
        ("big=9223372036854775807;{};small=32767;whole=2147483647",
         {"big": 2**63 - 1, "small": 2**15 - 1, "whole": 2**31 - 1}),
        ("big=-9223372036854775808;{};small=-32768;whole=-2147483648",
         {"big": -(2**63), "small": -(2**15), "whole": -(2**31)}),
    ),
    # 0.125 and 2.5 are ties, which go to the even digit; 2.675 and 1.005 are a little less than they are written.
    "float": _rows(
        "float",
        ("{};real=0.000000;real_0=0;real_14=0.00000000000000;real_2=0.00",
         {"real": 0.0, "real_0": 0.0, "real_14": 0.0, "real_2": 0.0}),
        ("{};real=0.000000;real_0=0;real_14=0.00000000000000;real_2=0.00",
         {"real": -0.0, "real_0": -0.0, "real_14": -0.0, "real_2": -0.0}),
        ("{};real=0.000000;real_0=0;real_14=0.00000000000000;real_2=0.00",
         {"real": 1e-15, "real_0": -0.4, "real_14": -1e-15, "real_2": -0.001}),
        ("{};real=0.000000;real_0=2;real_14=0.00000000000001;real_2=0.12",
         {"real": 5e-324, "real_0": 2.5, "real_14": 1e-14, "real_2": 0.125}),
        ("{};real=0.300000;real_0=4;real_14=0.10000000000000;real_2=0.38",
         {"real": 0.1 + 0.2, "real_0": 3.5, "real_14": 0.1, "real_2": 0.375}),
        ("{};real=-0.000001;real_0=-2;real_14=-0.12345678901235;real_2=2.67",
         {"real": -0.0000005000000001, "real_0": -1.5, "real_14": -0.12345678901234567, "real_2": 2.675}),
        ("{};real=99999999.999999;real_0=99999999999999;real_14=0.99999999999999;real_2=1.00",
         {"real": 99999999.999999, "real_0": 99999999999999.0, "real_14": 0.99999999999999, "real_2": 1.005}),
        # More than 14 nines: neither rounded nor written as fixed decimals.
        ("{};real=9.9999999999999493e+07;real_0=9.9999999999999500e+13;real_14=1.0000000000000000e+00;"
         "real_2=-1.0000000000000000e+12",
         {"real": 99999999.9999995, "real_0": 99999999999999.5, "real_14": 1.0, "real_2": -1e12}),
        ("{};real=1.0000000000000000e+20;real_0=-1.0000000000000001e+300;real_14=1.2345678900000000e+08;"
         "real_2=1.7976931348623157e+308",
         {"real": 1e20, "real_0": -1e300, "real_14": 123456789.0, "real_2": 1.7976931348623157e308}),
        ("{};real=1234567.891235;real_0=20240;real_14=-0.50000000000000;real_2=-999999999999.99",
         {"real": 1234567.8912345678, "real_0": 20240.4999, "real_14": -0.5, "real_2": -999999999999.99}),
    ),
    "decimal": _rows(
        "decimal",
        ("cents=0;exact=0;{}", {"cents": Decimal("0.00"), "exact": Decimal("-0.000")}),
        ("cents=1.5;exact=100;{}", {"cents": Decimal("1.50"), "exact": Decimal("1E+2")}),
        ("cents=-99999999.99;exact=-0.000000001;{}", {"cents": Decimal("-99999999.99"), "exact": Decimal("-1E-9")}),
        ("exact=12345678901234567890123456789.123456789;{}",
         {"exact": Decimal("12345678901234567890123456789.123456789")}),
    ),
    "text": _rows(
        "text",
        ("{};text=", {"Text": ""}),
        ("{};text= ", {"Text": " "}),
        ("{};text=;;", {"Text": ";"}),
        ("{};text=a;;;;b;;kind=text", {"Text": "a;;b;kind=text"}),
        ("{};text=it's \"quoted\" \\ and\n\ttabbed", {"Text": "it's \"quoted\" \\ and\n\ttabbed"}),
        ("{};text=Nikola Jokić 🏀", {"Text": "Nikola Jokić 🏀"}),
        ("{};text=e\u0301 is not \u00e9", {"Text": "e\u0301 is not \u00e9"}),
        ("{};text=NULL", {"Text": "NULL"}),
        ("{};text=" + "0123456789;;" * 1000, {"Text": "0123456789;" * 1000}),
    ),
    "date": _rows(
        "date",
        ("date=2026-02-03;{}", {"date": date(2026, 2, 3)}),
        ("date=0800-12-25;{}", {"date": date(800, 12, 25)}),
        ("date=0001-01-01;{}", {"date": date(1, 1, 1)}),
        ("date=9999-12-31;{}", {"date": date(9999, 12, 31)}),
    ),
    "timestamp": _rows(
        "timestamp",
        ("at=2026-02-03T04:05:06.000000;{};zoned=2026-02-03T04:05:06.000000",
         {"at": datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC), "zoned": datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)}),
        ("at=2026-02-03T09:05:06.000007;{};zoned=2026-02-02T22:20:06.000007",
         {"at": datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=_WEST),
          "zoned": datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=_EAST)}),
        ("at=0800-12-25T00:00:00.000000;{};zoned=0800-12-25T00:00:00.000000",
         {"at": datetime(800, 12, 25, tzinfo=UTC), "zoned": datetime(800, 12, 25, tzinfo=UTC)}),
        ("at=1969-12-31T23:59:59.999999;{}", {"at": datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)}),
        ("at=9999-12-31T23:59:59.999999;{};zoned=9999-12-31T23:59:59.999999", {"at": _LAST, "zoned": _LAST}),
    ),
    "time": _rows(
        "time",
        ("{};time=00:00:00.000000", {"time": time(0)}),
        ("{};time=23:59:59.999999", {"time": time(23, 59, 59, 999999)}),
    ),
    "uuid": _rows(
        "uuid",
        ("{};uuid=00000000-0000-0000-0000-00000000000a", {"uuid": UUID(int=10)}),
        ("{};uuid=ffffffff-ffff-ffff-ffff-ffffffffffff", {"uuid": UUID(int=2**128 - 1)}),
    ),
    "bytes": _rows(
        "bytes",
        ("bytes=;{}", {"bytes": b""}),
        ("bytes=003bff;{}", {"bytes": b"\x00;\xff"}),
    ),
    "several": _rows(
        "several",
        ("{}", {}),
        ("at=2026-02-03T00:00:00.000000;big=1;bytes=61;cents=0.5;date=2026-02-03;exact=2;{};real=1.500000;real_0=1;"
         "real_14=0.50000000000000;real_2=0.10;small=3;text=a;time=12:00:00.000000;"
         "uuid=00000000-0000-0000-0000-000000000001;whole=4;yes=true;zoned=2026-02-03T00:00:00.000000",
         {"at": datetime(2026, 2, 3, tzinfo=UTC), "big": 1, "bytes": b"a", "cents": Decimal("0.5"),
          "date": date(2026, 2, 3), "exact": Decimal(2), "real": 1.5, "real_0": 1.0, "real_14": 0.5, "real_2": 0.1,
          "small": 3, "Text": "a", "time": time(12), "uuid": UUID(int=1), "whole": 4, "yes": True,
          "zoned": datetime(2026, 2, 3, tzinfo=UTC)}),
    ),
}  # fmt: skip

PRINTS: Mapping[str, str] = {
    "boolean": "2-f7638fc9497065b1838ec505cc5bfe37",
    "integer": "4-8f50783de3786d70696623e835ebae9d",
    "float": "10-da4791bd1385afbc4b8c2fa9cdb3cad5",
    "decimal": "4-ef230511ab361f5945a04ea30a859651",
    "text": "9-c7b1ce289347b19d1106ead336e7f0c6",
    "date": "4-799b1aae0d84c5b28b700495b40cbcb5",
    "timestamp": "5-824002ff89e9dff90559c843e59f07f7",
    "time": "2-d3a0ac4bddfc3a57f328512b6cca8e3e",
    "uuid": "2-9fac0e8949d4240a5a844357ef8398d5",
    "bytes": "2-db19619d220c18c6037b4d215649d005",
    "several": "2-102b6e5cc789ee5bad20783828a2f5a9",
}
PRINT_OF_ALL = "46-dc715c441cd770c6a1c314856f66b809"

# Cells that no warehouse takes from Python, with a word of the reason.
REFUSED: tuple[tuple[str, object, str], ...] = (
    ("Text", "a\0b", "NUL"),
    ("Text", "\ud800", "surrogate"),
    ("Text", 7, "string"),
    ("yes", 1, "boolean"),
    ("whole", True, "integer"),
    ("whole", 1.5, "integer"),
    ("real", "1.5", "number"),
    ("cents", Decimal("NaN"), "finite"),
    ("at", datetime(2026, 2, 3), "naive"),  # noqa: DTZ001 - what is refused
    ("time", time(12, tzinfo=UTC), "zone"),
    ("bytes", "61", "bytes"),
)
