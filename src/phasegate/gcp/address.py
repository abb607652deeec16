"""Addresses of Google Cloud's services. Pure.

They hold no secret: credentials come from the environment, as Google's libraries find them.
"""

import re
from typing import NamedTuple

from phasegate.errors import BadInput

FIRESTORE = "firestore://PROJECT"
PUBSUB = "pubsub://PROJECT"
DEFAULT = "(default)"
_PROJECT = r"(?P<project>(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9])"
_DATABASE = r"(?P<database>\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9])"
_FORMS = {
    FIRESTORE: (re.compile(rf"firestore://{_PROJECT}(?:/{_DATABASE})?"), f"{FIRESTORE}, or {FIRESTORE}/DATABASE"),
    PUBSUB: (re.compile(rf"pubsub://{_PROJECT}"), PUBSUB),
}  # fmt: skip


class Place(NamedTuple):
    """A project, and a database of its Firestore."""

    project: str
    database: str = DEFAULT


def place_of(url: str, /, *, form: str) -> Place:
    """Return the place that a URL of this form names.

    Raises BadInput.

    >>> place_of("firestore://nba-props/nightly", form=FIRESTORE)
    Place(project='nba-props', database='nightly')
    """
    found = _FORMS[form][0].fullmatch(url)
    if found is None:
        raise BadInput(f"{url.partition(':')[0]}:…: {fault(url, form=form)}")
    return Place(found["project"], found.groupdict().get("database") or DEFAULT)


def fault(url: str, /, *, form: str) -> str:
    """Return what is wrong with a URL and how to mend it, "" for nothing.

    >>> fault("pubsub://Nba", form=PUBSUB)
    'names no project of Google Cloud; write pubsub://PROJECT, with the id of the project, as in nba-props-prod'
    """
    pattern, written = _FORMS[form]
    if pattern.fullmatch(url):
        return ""
    return f"names no project of Google Cloud; write {written}, with the id of the project, as in nba-props-prod"
