"""The page on the night that the demo has played."""

import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from nba_props.demo.night import NIGHTS_BEFORE, phasegate_at
from nba_props.sources.synthetic import THE_NIGHT

SERVING = "http://"


def serve_demo(folder: Path, *, port: int, write: Callable[[str], None]) -> int:
    """Serve the demo's state until Ctrl-C; return the exit code.

    Writes the address, and an access token to sign in with. What keeps it from serving is written, and its exit code
    returned.
    """
    added = _token(folder)
    if not added.startswith("pg_"):
        write(added)
        return 2
    words, env = phasegate_at("serve", "--port", str(port))
    served = subprocess.Popen(  # noqa: S603  fixed arguments, this interpreter
        words, cwd=folder, env=env, stderr=subprocess.PIPE, text=True
    )
    first = THE_NIGHT - timedelta(days=NIGHTS_BEFORE)
    assert served.stderr is not None
    try:
        for line in served.stderr:
            if SERVING in line:
                address = line[line.index(SERVING) :].strip()
                write("")
                write(f"The page: {address}/runs?from={first}&to={THE_NIGHT}")
                write(f"Sign in with this access token, of an operator: {added}")
                write("Ctrl-C ends it.")
            else:
                write(line.rstrip())
    except KeyboardInterrupt:  # the service has it too, and ends
        served.stderr.read()
    code = served.wait()
    return 0 if code == 130 else code


def _token(folder: Path) -> str:
    """Add an operator, and return the access token, or what went wrong."""
    words, env = phasegate_at("tokens", "add", "demo", "--role", "operator")
    done = subprocess.run(  # noqa: S603  fixed arguments, this interpreter
        words, cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    return (done.stdout if done.returncode == 0 else done.stderr).strip()
