"""Reads the pages of a service, and sends its forms, as a browser would."""

from html.parser import HTMLParser

import httpx

from tests.support.service import WAIT_S, Served

FIELDS = ("command", "csrf", "mark", "back")
VOID = {"meta", "link", "input", "br", "img"}


class Tags(HTMLParser):
    """Reads a page: its tags with their attributes, its text, and whether each tag is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        assert self.open == [], "a tag is not closed"

    def foreign(self) -> list[str]:
        """Return the pictures, and the scripts that are not a file of the package."""
        return [f"{tag} {of}" for tag, of in self.found
                if tag == "img" or (tag == "script" and not (of.get("src") or "").startswith("/static/"))
                or any(name.startswith("on") for name in of)]  # fmt: skip

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def seen(service: Served, path: str, *, by: str = "reader") -> httpx.Response:
    return service.client.get(f"{service.url}{path}", headers=cookie(service, by), timeout=WAIT_S)


def page(service: Served, path: str, *, by: str = "reader", status: int = 200) -> Tags:
    answer = seen(service, path, by=by)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Tags(answer.text)


def cookie(service: Served, by: str) -> dict[str, str]:
    return {"Cookie": f"phasegate={service.tokens[by]}"}


def asked(service: Served, command: str, *, by: str = "operator") -> httpx.Response:
    """Open the page that asks, as a link of another page does."""
    headers = {**cookie(service, by), "Referer": f"{service.url}/runs?from=2026-02-01"}
    return service.client.get(f"{service.url}/act", params={"command": command}, headers=headers, timeout=WAIT_S)


def form_of(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code in (200, 409), answer.text
    inputs = [of for tag, of in Tags(answer.text).found if tag == "input"]
    return {of["name"] or "": of["value"] or "" for of in inputs if of.get("name") in FIELDS}


def sent(service: Served, form: dict[str, str], *, by: str = "operator", **headers: str) -> httpx.Response:
    sent_by = {**cookie(service, by), **headers}
    return service.client.post(f"{service.url}/act", data=form, headers=sent_by, timeout=WAIT_S)


def done(service: Served, command: str, **more: str) -> Tags:
    """Do it, and return the page that says how it ended."""
    answer = sent(service, {**form_of(asked(service, command)), **more})
    assert answer.status_code == 303, answer.text
    return page(service, answer.headers["location"], by="operator")
