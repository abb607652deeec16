"""Each setting, as it is declared."""

from typing import Literal

import msgspec

from phasegate.gcp import bigquery_address
from phasegate.gcp.address import FIRESTORE, PUBSUB
from phasegate.postgresql import address

PREFIX = "PHASEGATE_"


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting and its allowed values.

    ``low`` and ``high`` bound a number; ``choices`` are the allowed words, ``forms`` the kinds of URLs.
    """

    name: str
    type: Literal["URL", "path", "name", "seconds", "milliseconds", "number", "word", "text", "address", "build"]
    default: str | float | None
    meaning: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """Return the environment variable of the setting."""
        return PREFIX + self.name.upper()

    @property
    def form(self) -> str:
        """Return how its URLs are written."""
        return " or ".join(self.forms)


SETTINGS: tuple[Setting, ...] = (
    Setting(name="state", type="path", default=".phasegate",
            meaning="Directory of everything that Phasegate stores on this machine."),
    Setting(name="store", type="URL", default="sqlite:///STATE/phasegate.db",
            forms=("sqlite:///PATH", address.FORM, FIRESTORE),
            meaning="Where the documents are stored."),
    Setting(name="mirror", type="URL", default=None, forms=("file:///PATH", FIRESTORE),
            meaning="Where mirrors are written. Default: the database of a store in Firestore, else the store."),
    Setting(name="bus", type="URL", default="local:", forms=("local:", PUBSUB),
            meaning="What carries the messages: `local:` is the store itself."),
    Setting(name="warehouse", type="URL", default="duckdb:///STATE/warehouse.duckdb",
            forms=("duckdb:///PATH", address.FORM, bigquery_address.FORM),
            meaning="Where the guarded tables are."),
    Setting(name="warehouse_name", type="name", default="main",
            meaning="Name of the warehouse in the keys of leases; the same wherever it is used."),
    Setting(name="plan", type="path", default="plan.toml",
            meaning="File of the plan; SQL files are found from its folder."),
    Setting(name="build", type="build", default=None, forms=("SERVICE@COMMIT",),
            meaning="Which code runs here: `[SERVICE@]COMMIT[+dirty][.LOCK]`. Default: by git, else the version."),
    Setting(name="lease_ttl_s", type="seconds", default=60.0, low=1, high=3600,
            meaning="A lease that is not renewed for this long expires: another process may take it."),
    Setting(name="heartbeat_s", type="seconds", default=None, low=0.1, high=1800,
            meaning="How often a lease is renewed; at most half of `lease_ttl_s`. Default: a quarter of it."),
    Setting(name="poll_s", type="seconds", default=None, low=0.01, high=600,
            meaning="How often an idle worker asks what is due. Default: 1, and 90 for a store in Firestore."),
    Setting(name="visibility_s", type="seconds", default=60.0, low=1, high=43200,
            meaning="A message that was received and not acknowledged is delivered again after this long."),
    Setting(name="hold_ms", type="milliseconds", default=500.0, low=0, high=60000,
            meaning="How long the warehouse file stays open for further work before another process may open it."),
    Setting(name="lock_timeout_s", type="seconds", default=30.0, low=0.1, high=600,
            meaning="How long to wait for a file that another process holds."),
    Setting(name="connections_max", type="number", default=8, low=1, high=100,
            meaning="How many connections to a PostgreSQL store a process opens at most, and to a warehouse."),
    Setting(name="connect_timeout_s", type="seconds", default=10.0, low=1, high=300,
            meaning="How long to wait for a connection to PostgreSQL."),
    Setting(name="statement_timeout_s", type="seconds", default=30.0, low=1, high=3600,
            meaning="A statement of the PostgreSQL store that takes longer is stopped."),
    Setting(name="query_timeout_s", type="seconds", default=3600.0, low=1, high=86400,
            meaning="A statement of the PostgreSQL warehouse, or a job of BigQuery, that takes longer is stopped."),
    Setting(name="serve_threads", type="number", default=8, low=1, high=64,
            meaning="How many requests `serve` works on at once; eight times as many wait."),
    Setting(name="serve_rate", type="number", default=100, low=1, high=100000,
            meaning="How many requests a second each caller of `serve` may send; one more is answered with 429."),
    Setting(name="serve_work_s", type="seconds", default=8.0, low=0, high=600,
            meaning="How long messages are worked on inside a push and a `/sweep`; the rest is left to workers."),
    Setting(name="audience", type="text", default=None,
            meaning="What an ID token of Google must be for, usually the service's address; unset: none is taken."),
    Setting(name="google_keys", type="URL", default="https://www.googleapis.com/oauth2/v3/certs",
            forms=("https://HOST/PATH", "http://127.0.0.1/PATH"),
            meaning="Where Google publishes the keys of its ID tokens."),
    Setting(name="google_front", type="word", default="none", choices=("none", "cloud-run"),
            meaning="Who has checked an ID token before: Cloud Run then removes its signature."),
    Setting(name="metrics", type="address", default="off",
            meaning="Where `phasegate worker` answers Prometheus, such as `127.0.0.1:9464`; port 0: any free one."),
    Setting(name="log_format", type="word", default="auto", choices=("auto", "text", "json"),
            meaning="How events are written to stderr; `auto` is text on a terminal and JSON elsewhere."),
    Setting(name="log_level", type="word", default="notable", choices=("all", "notable", "none"),
            meaning="Which events are written; `notable` leaves out those of ordinary work."),
)  # fmt: skip
