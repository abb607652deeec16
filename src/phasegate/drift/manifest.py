"""The services of a deployment, from ``[service.NAME]`` of a TOML file.

Of each the keys ``source``, ``paths`` and ``url`` are read. All others belong to what deploys it, and are not looked
at. Pure.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from phasegate.errors import BadInput
from phasegate.plan.toml_lines import parse, spell
from phasegate.plan.toml_read import Section

SERVICE = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)
SERVICES_MAX, PATHS_MAX = 200, 200
URL = re.compile(r"https://[\w.-]+(:\d{1,5})?(/[!-~]*)?|http://(127\.0\.0\.1|localhost)(:\d{1,5})?(/[!-~]*)?", re.ASCII)
_PATH = re.compile(r"(?!/)(?!.*(^|/)\.\.(/|$))[^\x00-\x1f]{1,400}")


class DeployedService(NamedTuple):
    """A service.

    ``paths``: what it is made of, from the root of the repository; () is all of it. ``source``: the folder that is
    deployed. ``url``: where it answers ``/build``. Both are "" if they are not known.
    """

    name: str
    paths: tuple[str, ...] = ()
    source: str = ""
    url: str = ""

    @property
    def label(self) -> str:
        """Return its name; builds that name no service are one without."""
        return self.name or "(no service)"


def services_of(text: str, /, *, name: str) -> Mapping[str, DeployedService]:
    r"""Return the services that a file names; raise BadInput with the line.

    >>> services_of('[service.scores]\nsource = "deploy/scores"\npaths = ["src"]', name="x.toml")["scores"].paths
    ('src', 'deploy/scores')
    """
    toml = parse(text, name=name)
    whole = Section(toml, (), toml.body)
    tables = whole.section("service", wanted="[service.NAME] for each service")
    if not 0 < len(tables.body) <= SERVICES_MAX:
        raise whole.error("service", f"names {len(tables.body)} services; name 1 to {SERVICES_MAX}")
    return {one: _service(one, tables) for one in tables.body}


def check_service(name: str, /) -> str:
    """Return the name of a service; raise BadInput for what is none."""
    if not SERVICE.fullmatch(name):
        raise BadInput(f"{spell(name)} is no name of a service: a-z, 0-9 and -, beginning with a letter, 63 at most")
    return name


def check_url(url: str, /) -> str:
    """Return the address of a service; raise BadInput for what is none."""
    if not URL.fullmatch(url):
        raise BadInput("a service's url begins with https://, or http:// on this machine, without user and password")
    return url.rstrip("/")


def _service(name: str, tables: Section) -> DeployedService:
    table = tables.section(name, wanted="a table")
    try:
        check_service(name)
        paths = table.texts("paths", wanted="a list of paths from the root of the repository")
        source = table.text("source", wanted="a folder of the repository") if table.has("source") else ""
        url = check_url(table.text("url", wanted="the address of the service")) if table.has("url") else ""
    except BadInput as e:
        if str(e).startswith(f"{table.toml.name}:"):
            raise
        raise table.error(None, str(e)) from None
    wrong = next((one for one in (*paths, source) if one and not _PATH.fullmatch(one)), None)
    if wrong is not None or len(paths) > PATHS_MAX:
        what = f"{spell(wrong)} is no path" if wrong is not None else f"{len(paths)} paths are too many"
        raise table.error("paths" if wrong != source else "source", f"{what}; write up to {PATHS_MAX} paths such as "
                          '"src", from the root of the repository')  # fmt: skip
    # the source alone says little of what a service is made of, so without paths all of the repository counts
    own = tuple(dict.fromkeys((*paths, *([source] if source else [])))) if paths else ()
    return DeployedService(name, own, source, url)
