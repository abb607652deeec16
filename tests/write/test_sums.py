"""Sums that must agree, compared to the places of the coarser of the two."""

from decimal import Decimal

from phasegate.base.table import unequal


def sums(**groups: str) -> dict[tuple[str, ...], Decimal]:
    return {(name,): Decimal(value) for name, value in groups.items()}


def test_sums_may_differ_by_half_of_the_last_place_of_the_coarser_and_no_more() -> None:
    assert unequal(sums(a="1.25"), sums(a="1.2")) == ()
    assert unequal(sums(a="1.2"), sums(a="1.25")) == ()
    assert unequal(sums(a="1.251"), sums(a="1.2")) == (("a",),)
    assert unequal(sums(a="3"), sums(a="4")) == (("a",),)
    assert unequal(sums(a="3"), sums(a="3.5")) == ()


def test_groups_that_one_side_lacks_are_no_difference_and_the_others_are_sorted() -> None:
    assert unequal(sums(c="1", a="1", b="1"), sums(c="2", b="2", d="9")) == (("b",), ("c",))
