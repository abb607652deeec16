"""``phasegate serve``: the same over HTTP."""

import os
import sys

import click

from phasegate.cli.commands.worker import stop_on_signal
from phasegate.cli.kit.app import FINE, STOPPED, App, pass_app
from phasegate.cli.kit.options import example
from phasegate.cli.kit.output import talk

HOST, PORT = "127.0.0.1", 8080
INSTALL = "pip install 'phasegate[service]'"


@click.command(
    epilog=example("phasegate serve", "phasegate serve --host 0.0.0.0 --port 8080"),
    short_help="Answer over HTTP: reports, leases, checks, sweeps.",
)
@click.option("--host", metavar="ADDRESS", help=f"The address to listen on. Default: {HOST}.")
@click.option("--port", type=click.IntRange(0, 65_535), metavar="N",
              help=f"The port; 0 is any free one. Default: the variable PORT, then {PORT}.")  # fmt: skip
@pass_app
def serve(app: App, /, *, host: str | None, port: int | None) -> int:
    """Serve the pipeline over HTTP, until SIGTERM or Ctrl-C.

    Every request needs a credential, except for what tells that the service is there. Then nothing is begun any more,
    what is in hand is finished or, after some seconds, left to its lease, and Ctrl-C exits with 130. A second signal
    ends the process at once. Nothing is built here unless a request asks for it: workers do that.
    """
    from phasegate.errors import BadInput

    settings = app.settings()
    try:
        from phasegate.web import server
    except ImportError as e:
        if e.name is None or e.name.partition(".")[0] == "phasegate":
            raise
        raise BadInput(f"serve: the library {e.name.partition('.')[0]} is not installed; run: {INSTALL}") from None
    stopped_by: list[str] = []
    observer = server.observer_of(settings, app.plan())
    with app.pipeline(observer) as pipeline, stop_on_signal(
        stopped_by.append, message="finishing what is in hand; a second signal ends at once"
    ):  # fmt: skip
        left = server.run(
            pipeline, settings, observer=observer, address=(host or HOST, _port(port)),
            stop=lambda: bool(stopped_by), say=talk,
        )  # fmt: skip
        code = STOPPED if "SIGINT" in stopped_by else FINE
        if left:  # in threads that cannot be ended: it is retried once its leases have expired
            talk(f"left undone: {left} in progress; it is retried once its leases have expired")
            sys.stderr.flush()
            os._exit(code)
    return code


def _port(given: int | None) -> int:
    """Return the port: the option, PORT (set by Cloud Run), or the default."""
    from phasegate.errors import BadInput

    if given is not None:
        return given
    text = os.environ.get("PORT", "").strip()
    if not text:
        return PORT
    if not text.isdecimal() or len(text) > 5 or int(text) > 65_535:
        raise BadInput(f"PORT={text[:40]!r}: wanted a number from 0 to 65535, or nothing")
    return int(text)
