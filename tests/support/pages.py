"""Reads the pages of a service as a browser would."""

from html.parser import HTMLParser

import httpx

from tests.support.service import WAIT_S, Served

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
    cookie = {"Cookie": f"phasegate={service.tokens[by]}"}
    return service.client.get(f"{service.url}{path}", headers=cookie, timeout=WAIT_S)


def page(service: Served, path: str, *, by: str = "reader", status: int = 200) -> Tags:
    answer = seen(service, path, by=by)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Tags(answer.text)
