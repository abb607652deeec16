"""What is refused before any database sees it, each with its one line."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasegate.base import codec
from phasegate.base.codec import State
from phasegate.errors import BadDocument, BadInput
from phasegate.stores.rules import BODY_BYTES_MAX, check_key, checked_due, decode, encode, prefix_end

DEEP: dict[str, object] = {}
for _ in range(5_000):
    DEEP = {"in": DEEP}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    # st.text() draws no surrogates' halves
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            {"a": {"b": [1, {2}]}},
            "document k: body.a.b[1]: a set is not JSON; store text, numbers, lists and objects only",
        ),
        (
            {"at": datetime(2026, 2, 3, tzinfo=UTC)},
            "document k: body.at: a datetime is not JSON; store text, numbers, lists and objects only",
        ),
        ({"x": float("nan")}, "document k: body.x: nan is not JSON; store None"),
        ({"x": 2**63}, "document k: body.x: 9223372036854775808 needs more than 64 bits; store it as text"),
        ({"x": {7: 1}}, "document k: body.x: the name 7 is not text; store it as text"),
        ({"x": "\udc00"}, "document k: body.x: text with half a surrogate pair; repair it where it was read"),
        ({"x": "y" * BODY_BYTES_MAX}, "document k: 1,000,008 bytes, at most 1,000,000 fit; split it"),
    ],
    ids=["set", "time", "nan", "integer", "name", "surrogate", "size"],
)
def test_a_body_that_is_not_json_is_refused_by_name(body: dict[str, object], text: str) -> None:
    with pytest.raises(BadInput) as refused:
        encode("k", body)
    assert str(refused.value) == text


def test_a_body_nested_too_deeply_is_refused() -> None:
    with pytest.raises(BadInput, match=r"^document k: body(\.in)+: nested too deeply; flatten it$"):
        encode("k", DEEP)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_every_json_object_comes_back_equal_and_respelled_alike(body: dict[str, object]) -> None:
    text = encode("k", body)
    assert repr(sorted(decode(text).items())) == repr(sorted(decode(encode("k", decode(text))).items()))
    assert decode(text) == body
    assert encode("k", dict(reversed(body.items()))) == text


def test_tuples_become_lists() -> None:
    assert encode("k", {"a": (1, (2,))}) == b'{"a":[1,[2]]}'


@pytest.mark.parametrize("text", ["", "[1]", "{", "null"])
def test_a_stored_text_that_is_no_object_is_kept_and_refused_where_it_is_read(text: str) -> None:
    body = decode(text)
    assert body["_text"] == text
    with pytest.raises(BadDocument, match=r"^document k: .*; restore it from a backup, or delete it by hand$"):
        codec.decode(State, body, key="k")


def test_keys_and_times_are_refused_by_name() -> None:
    with pytest.raises(
        BadInput, match=r"^key 'a\\nb': a key is 1 to 1,499 printable ASCII characters, of which a slash"
    ):
        check_key("a\nb")
    with pytest.raises(BadInput, match=r"^document k: due nan is not a time; give epoch seconds, or None"):
        checked_due("k", float("nan"))
    assert repr(checked_due("k", 5)) == "5.0"


@given(st.text(min_size=1), st.text())
def test_the_end_of_a_prefix_is_just_beyond_all_that_start_with_it(prefix: str, rest: str) -> None:
    end = prefix_end(prefix)
    if end is None:
        assert set(prefix) == {"\U0010ffff"}
    else:
        assert prefix + rest < end
        assert not end.startswith(prefix)


def test_a_prefix_of_last_characters_has_no_end() -> None:
    assert prefix_end("\U0010ffff") is None
    assert prefix_end("") is None
    assert prefix_end("a\U0010ffff") == "b"
    assert prefix_end("\ud7ff") == "\ue000"
