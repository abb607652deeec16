"""The contract of every Store, as tests.

Subclass StoreContract, give it a ``store`` fixture, and run pytest.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self): ...

Each test draws its own prefix of keys, so a store that is shared between tests will do.
"""

import random
import uuid
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from phasegate.errors import BadInput, Conflict
from phasegate.store import Body, Doc, Store
from phasegate.testing.store_model import BODIES, NOT_JSON, THREADS, StoreModel, together

INCREMENTS = 25


class StoreContract:
    """The promises of ports.Store."""

    @pytest.fixture
    def prefix(self) -> str:
        """Return a prefix of keys of this test's own."""
        return f"contract:{uuid.uuid4().hex}:"

    def test_a_missing_document_reads_as_none(self, store: Store, prefix: str) -> None:
        """Check that absence is a result, not an error."""
        assert store.read(prefix + "a") is None

    def test_what_was_written_is_read_back(self, store: Store, prefix: str) -> None:
        """Check that a read returns key, version, body and due.

        They are those of the newest write.
        """
        version = store.write(prefix + "a", {"n": 1}, due=12.5, expect=None)
        assert store.read(prefix + "a") == Doc(prefix + "a", version, {"n": 1}, 12.5)

    @pytest.mark.parametrize("body", BODIES, ids=lambda body: ",".join(body) or "empty")
    def test_bodies_come_back_as_they_were(self, store: Store, prefix: str, body: Body) -> None:
        """Check that text, numbers and nesting keep value and type."""
        store.write(prefix + "a", body, due=None, expect=None)
        assert repr(_sorted(_body(store, prefix + "a"))) == repr(_sorted(body))

    @pytest.mark.parametrize(("what", "value"), NOT_JSON, ids=[what for what, _ in NOT_JSON])
    def test_what_json_cannot_hold_is_refused(self, store: Store, prefix: str, what: str, value: object) -> None:
        """Check that nothing is stored that would be read back differently."""
        with pytest.raises(BadInput, match=r"body\.deep"):
            store.write(prefix + "a", {"deep": [value]}, due=None, expect=None)
        assert store.read(prefix + "a") is None, f"{what} was stored"

    def test_a_body_has_one_spelling(self, store: Store, prefix: str) -> None:
        """Check that bodies that differ in order only are stored alike.

        Down to the order that a reader sees.
        """
        store.write(prefix + "a", {"x": 1, "y": {"p": 1, "q": 2}}, due=None, expect=None)
        store.write(prefix + "b", {"y": {"q": 2, "p": 1}, "x": 1}, due=None, expect=None)
        assert repr(_body(store, prefix + "a")) == repr(_body(store, prefix + "b"))

    def test_no_caller_shares_state_with_the_store(self, store: Store, prefix: str) -> None:
        """Check that changing a body after a write or read is not stored."""
        given: dict[str, list[int]] = {"list": [1]}
        store.write(prefix + "a", given, due=None, expect=None)
        given["list"].append(2)
        seen = _body(store, prefix + "a")["list"]
        assert isinstance(seen, list)
        seen.append(3)
        assert _body(store, prefix + "a") == {"list": [1]}

    def test_creating_twice_is_a_conflict(self, store: Store, prefix: str) -> None:
        """Check that ``expect=None`` means: must not exist."""
        version = store.write(prefix + "a", {"n": 1}, due=1.0, expect=None)
        with pytest.raises(Conflict):
            store.write(prefix + "a", {"n": 2}, due=2.0, expect=None)
        assert store.read(prefix + "a") == Doc(prefix + "a", version, {"n": 1}, 1.0)

    def test_a_stale_version_changes_nothing(self, store: Store, prefix: str) -> None:
        """Check that a write or delete by an older version has no effect."""
        first = store.write(prefix + "a", {"n": 1}, due=1.0, expect=None)
        second = store.write(prefix + "a", {"n": 2}, due=2.0, expect=first)
        with pytest.raises(Conflict):
            store.write(prefix + "a", {"n": 3}, due=None, expect=first)
        with pytest.raises(Conflict):
            store.delete(prefix + "a", expect=first)
        assert store.read(prefix + "a") == Doc(prefix + "a", second, {"n": 2}, 2.0)

    def test_a_version_of_another_document_is_stale_here(self, store: Store, prefix: str) -> None:
        """Check that versions belong to one document.

        Text that is not a version of this store is stale too.
        """
        store.write(prefix + "a", {}, due=None, expect=None)
        other = store.write(prefix + "b", {}, due=None, expect=None)
        for expect in (other, "", "not-a-version"):
            with pytest.raises(Conflict):
                store.write(prefix + "a", {"n": 1}, due=None, expect=expect)
        assert _body(store, prefix + "a") == {}

    def test_a_missing_document_cannot_be_replaced_or_deleted(self, store: Store, prefix: str) -> None:
        """Check that the version of a deleted document is stale."""
        version = store.write(prefix + "a", {}, due=None, expect=None)
        store.delete(prefix + "a", expect=version)
        with pytest.raises(Conflict):
            store.write(prefix + "a", {}, due=None, expect=version)
        with pytest.raises(Conflict):
            store.delete(prefix + "a", expect=version)
        assert store.read(prefix + "a") is None

    def test_a_version_never_comes_again(self, store: Store, prefix: str) -> None:
        """Check that the same content, created again, has a new version.

        So that it is never mistaken for the old one.
        """
        seen = set()
        for _ in range(20):
            first = store.write(prefix + "a", {"same": 1}, due=None, expect=None)
            second = store.write(prefix + "a", {"same": 1}, due=None, expect=first)
            store.delete(prefix + "a", expect=second)
            seen |= {first, second}
        assert len(seen) == 40

    def test_due_can_be_set_moved_and_cleared(self, store: Store, prefix: str) -> None:
        """Check that each write sets ``due``."""
        version = None
        for due in (5.0, 3.0, None, 4.0):
            version = store.write(prefix + "a", {}, due=due, expect=version)
            assert [doc.due for doc in store.due(100.0, prefixes=[prefix])] == ([] if due is None else [due])
            assert store.next_due(prefixes=[prefix]) == due

    @pytest.mark.parametrize("due", [float("nan"), float("inf"), float("-inf")])
    def test_a_due_that_is_no_time_is_refused(self, store: Store, prefix: str, due: float) -> None:
        """Check that a time without an order, which would be lost, is refused."""
        with pytest.raises(BadInput, match="due"):
            store.write(prefix + "a", {}, due=due, expect=None)

    @pytest.mark.parametrize("key", ["", "naïve", "a\nb", "a\0b", "x" * 1500, "/" * 750])
    def test_a_key_that_some_database_cannot_hold_is_refused(self, store: Store, key: str) -> None:
        """Check that keys are short printable ASCII everywhere."""
        with pytest.raises(BadInput, match="key"):
            store.write(key, {}, due=None, expect=None)

    def test_a_page_without_rows_is_refused(self, store: Store, prefix: str) -> None:
        """Check that no database reads ``limit=0`` as "all"."""
        with pytest.raises(BadInput, match="limit"):
            store.scan(prefix, limit=0)
        with pytest.raises(BadInput, match="limit"):
            store.due(1.0, prefixes=[prefix], limit=-1)

    def test_scan_is_in_order_of_code_points(self, store: Store, prefix: str) -> None:
        """Check that no locale is used.

        The order is: ``-`` before ``.`` before digits before ``:`` before ``_`` before letters.
        """
        names = ["a-1", "a.1", "a0", "a1", "a10", "a2", "a:1", "a_1", "aa", "b"]
        _fill(store, prefix, names[::-1])
        assert _names(store.scan(prefix), prefix) == names

    def test_every_character_of_a_key_has_its_place(self, store: Store, prefix: str) -> None:
        """Check that all printable ones can be used, up to the longest key."""
        names = sorted(name for char in map(chr, range(0x20, 0x7F)) for name in (f"a{char}", f"a{char}b"))
        longest = "b" * (1_499 - len(prefix))
        _fill(store, prefix, [longest, *reversed(names)])
        assert _names(store.scan(prefix, limit=500), prefix) == [*names, longest]
        assert _names(store.scan(prefix + "a/"), prefix) == ["a/", "a/b"]
        assert _names(store.scan(prefix, after=prefix + "a.b", until=prefix + "a0"), prefix) == ["a/", "a/b"]

    def test_scan_keeps_to_the_prefix_literally(self, store: Store, prefix: str) -> None:
        """Check that no character of a prefix is a wildcard.

        Neighbours just outside are left out.
        """
        _fill(store, prefix, ["p_1:a", "p_1:b", "p_1", "p_2", "px1:a", "p_1;", "p_10"])
        assert _names(store.scan(prefix + "p_1:"), prefix) == ["p_1:a", "p_1:b"]
        for wild in ("p%", "p*", "p?1", "P_1", "p[_]1", "p\\_1"):
            assert store.scan(prefix + wild) == []

    def test_scan_bounds_are_exclusive(self, store: Store, prefix: str) -> None:
        """Check ``after < key < until``, with a limit; bounds need not exist."""
        _fill(store, prefix, "abcdef")
        assert _names(store.scan(prefix, after=prefix + "b", until=prefix + "e"), prefix) == ["c", "d"]
        assert _names(store.scan(prefix, after=prefix + "bb", until=prefix + "ee"), prefix) == ["c", "d", "e"]
        assert _names(store.scan(prefix, after=prefix + "b", limit=2), prefix) == ["c", "d"]
        assert _names(store.scan(prefix, until=prefix + "b"), prefix) == ["a"]
        assert store.scan(prefix, after=prefix + "f") == []

    def test_scan_without_a_prefix_sees_all_kinds(self, store: Store, prefix: str) -> None:
        """Check that an empty prefix bounds nothing."""
        _fill(store, prefix, "ab")
        assert _names(store.scan("", after=prefix, limit=2), prefix) == ["a", "b"]

    def test_scan_pages_meet_without_gap_or_overlap(self, store: Store, prefix: str) -> None:
        """Check that continuing after a page's last key sees all once."""
        names = [f"{n:03}" for n in range(25)]
        _fill(store, prefix, names)
        seen, after = [], ""
        while page := store.scan(prefix, after=after, limit=7):
            seen += _names(page, prefix)
            after = page[-1].key
        assert seen == names

    def test_due_lists_the_oldest_first(self, store: Store, prefix: str) -> None:
        """Check that the order is (due, key).

        What is due exactly now is listed; later and settled documents are not.
        """
        for name, due in {"d": 1.0, "a": 2.0, "c": 2.0, "b": 10.0, "z": 10.25, "settled": None}.items():
            store.write(prefix + name, {"name": name}, due=due, expect=None)
        assert _names(store.due(10.0, prefixes=[prefix]), prefix) == ["d", "a", "c", "b"]
        assert [doc.body["name"] for doc in store.due(10.0, prefixes=[prefix], limit=2)] == ["d", "a"]
        assert store.due(0.5, prefixes=[prefix]) == []

    def test_due_pages_meet_where_many_are_due_at_once(self, store: Store, prefix: str) -> None:
        """Check that continuing after (due, key) sees everything once.

        Equal times included.
        """
        for n in range(20):
            store.write(f"{prefix}{n:02}", {}, due=float(n % 3), expect=None)
        seen: list[Doc] = []
        after: tuple[float, str] | None = None
        while page := store.due(2.0, prefixes=[prefix], after=after, limit=3):
            seen += page
            assert page[-1].due is not None
            after = (page[-1].due, page[-1].key)
        assert _names(seen, prefix) == [f"{n:02}" for n in sorted(range(20), key=lambda n: (n % 3, n))]

    def test_due_and_next_due_keep_to_the_prefix(self, store: Store, prefix: str) -> None:
        """Check that documents outside the prefix are left out."""
        for name, due in {"a:1": 5.0, "a:2": 3.0, "a;1": 1.0, "b:1": 2.0, "c:1": None}.items():
            store.write(prefix + name, {}, due=due, expect=None)
        assert _names(store.due(9.0, prefixes=[prefix + "a:"]), prefix) == ["a:2", "a:1"]
        assert store.next_due(prefixes=[prefix + "a:"]) == 3.0
        assert store.next_due(prefixes=[prefix + "c:"]) is None
        assert store.next_due(prefixes=[prefix + "d:"]) is None
        earliest = store.next_due()
        assert earliest is not None
        assert earliest <= 1.0

    def test_due_answers_for_several_prefixes_at_once(self, store: Store, prefix: str) -> None:
        """Check that each document is listed once, in one order, page by page.

        Also where one prefix begins with another, or is named twice; no prefix at all has no documents.
        """
        for name, due in {"a:1": 4.0, "a:2": 2.0, "b:1": 1.0, "b:2": 3.0, "c:1": 2.5, "ab:1": 0.5}.items():
            store.write(prefix + name, {}, due=due, expect=None)
        prefixes = [prefix + name for name in ("b:", "a:", "a:2", "b:", "z:")]
        assert _names(store.due(3.5, prefixes=prefixes), prefix) == ["b:1", "a:2", "b:2"]
        assert _names(store.due(9.0, prefixes=prefixes, after=(2.0, prefix + "a:2"), limit=1), prefix) == ["b:2"]
        assert store.next_due(prefixes=prefixes) == 1.0
        assert store.next_due(prefixes=prefixes[1:3]) == 2.0
        assert (list(store.due(9.0, prefixes=[])), store.next_due(prefixes=[])) == ([], None)
        many = [f"{prefix}none{n}:" for n in range(1_000)]
        assert _names(store.due(9.0, prefixes=[*many, prefix + "c:"]), prefix) == ["c:1"]

    def test_a_deleted_document_is_no_longer_due(self, store: Store, prefix: str) -> None:
        """Check that deleting removes the timer with the document."""
        version = store.write(prefix + "a", {}, due=1.0, expect=None)
        store.delete(prefix + "a", expect=version)
        assert store.due(9.0, prefixes=[prefix]) == []
        assert store.next_due(prefixes=[prefix]) is None
        assert store.scan(prefix) == []

    def test_one_of_many_creators_wins(self, store: Store, prefix: str) -> None:
        """Check it however many create at the same instant."""
        for n in range(10):
            key = f"{prefix}{n}"
            won = together(partial(_creates, store, key))
            assert won.count(True) == 1
            assert _body(store, key) == {"by": won.index(True)}

    def test_threads_that_increment_lose_nothing(self, store: Store, prefix: str) -> None:
        """Check that the sum of the confirmed writes is stored."""
        store.write(prefix + "n", {"n": 0}, due=None, expect=None)
        together(lambda _: _increment(store, prefix + "n", INCREMENTS))
        assert _body(store, prefix + "n") == {"n": THREADS * INCREMENTS}

    @pytest.mark.parametrize("seed", range(5))
    def test_it_answers_as_a_plain_dict_would(self, store: Store, prefix: str, seed: int) -> None:
        """Check hundreds of random verbs against a model of eight lines."""
        rng, model = random.Random(seed), StoreModel()
        for step in range(200):
            name = prefix + rng.choice("abcd-_.:") + rng.choice(["", "a", "1"])
            known = [*model.versions.get(name, []), None]
            expect, due = rng.choice(known[-3:]), rng.choice([None, 1.0, 2.0, 2.0, 3.5])
            if expect is not None and rng.random() < 0.3:
                assert _done(store.delete, name, expect=expect) == model.delete(name, expect)
            elif model.fits(name, expect):
                model.put(name, store.write(name, {"step": step}, due=due, expect=expect), ({"step": step}, due))
            else:
                assert not _done(store.write, name, {"step": step}, due=due, expect=expect)
            after, limit = prefix + rng.choice("abcd-_.:"), rng.randint(1, 12)
            assert list(store.scan(prefix, after=after, limit=limit)) == model.scan(after)[:limit]
            now = rng.choice([0.5, 1.0, 2.0, 9.0])
            assert list(store.due(now, prefixes=[prefix], limit=limit)) == model.due(now)[:limit]


def _body(store: Store, key: str) -> Body:
    found = store.read(key)
    assert found is not None, key
    return found.body


def _sorted(value: object) -> object:
    match value:
        case dict():
            return {name: _sorted(value[name]) for name in sorted(value)}
        case list():
            return [_sorted(inner) for inner in value]
        case _:
            return value


def _fill(store: Store, prefix: str, names: Sequence[str]) -> None:
    for name in names:
        store.write(prefix + name, {}, due=None, expect=None)


def _names(docs: Sequence[Doc], prefix: str) -> list[str]:
    return [doc.key.removeprefix(prefix) for doc in docs]


def _done(verb: Callable[..., object], *given: object, **named: object) -> bool:
    try:
        verb(*given, **named)
    except Conflict:
        return False
    return True


def _creates(store: Store, key: str, who: int) -> bool:
    return _done(store.write, key, {"by": who}, due=None, expect=None)


def _increment(store: Store, key: str, times: int) -> None:
    """Add 1, ``times`` times, by compare-and-set."""
    while times:
        doc = store.read(key)
        assert doc is not None
        n = doc.body["n"]
        assert isinstance(n, int)
        times -= _done(store.write, key, {"n": n + 1}, due=None, expect=doc.version)
