import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_props.errors import DataError
from nba_props.names import ALIASES, find_collisions, match_names, player_lookup

LATIN = st.text(st.characters(min_codepoint=32, max_codepoint=0x17F), max_size=30)


@pytest.mark.parametrize(
    ("name", "lookup"),
    [
        ("Luka Dončić", "lukadoncic"),
        ("Alperen Şengün", "alperensengun"),
        ("Alperen Sengun", "alperensengun"),
        ("Kristaps Porziņģis", "kristapsporzingis"),
        ("Vít Krejčí", "vitkrejci"),
        ("Dennis Schröder", "dennisschroder"),
        ("Đorđe Łukasz Ørsted", "dordelukaszorsted"),
        ("Ǿstby", "ostby"),
        ("Weiß", "weiss"),
        ("WEIẞ", "weiss"),
        ("İlkay Ilgaz Yılmaz", "ilkayilgazyilmaz"),
        ("Ærø Þór Œuvre Guðmundur", "aerothoroeuvregudmundur"),
        ("Gary Trent Jr.", "garytrentjr"),
        ("Jimmy Butler III", "jimmybutleriii"),
        ("D'Angelo Russell", "dangelorussell"),
        ("De’Aaron Fox", "deaaronfox"),
        ("Kaʻimi Kahananui", "kaimikahananui"),
        ("Karl-Anthony Towns", "karlanthonytowns"),
        ("P.J. Washington", "pjwashington"),
        ("  Nene  ", "nene"),
        ("LUKA DONČIĆ", "lukadoncic"),
    ],
)
def test_a_name_has_one_plain_spelling(name: str, lookup: str) -> None:
    assert player_lookup(name) == lookup
    assert player_lookup(unicodedata.normalize("NFD", name)) == lookup
    assert player_lookup(unicodedata.normalize("NFC", name)) == lookup


@pytest.mark.parametrize("name", ["", "   ", "-.'", "Никола Јокић", "Nikola Јokić", "姚明"])
def test_a_name_that_would_lose_a_letter_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(DataError) as caught:
        player_lookup(name)
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(LATIN)
def test_a_lookup_is_plain_and_its_own_lookup(name: str) -> None:
    try:
        lookup = player_lookup(name)
    except DataError:
        return
    assert set(lookup) <= set(string.ascii_lowercase + string.digits)
    assert lookup
    assert player_lookup(lookup) == lookup
    assert player_lookup(unicodedata.normalize("NFD", name)) == lookup


def test_players_who_would_share_a_lookup_are_named_and_nobody_else() -> None:
    players = [(9, "Jan Novák"), (3, "Jan Novak"), (9, "Jan Novák"), (4, "Jan Novak Jr."), (5, "Ota"), (6, "Óta")]
    assert find_collisions(players) == {"jannovak": (3, 9), "ota": (5, 6)}


def test_one_player_under_two_spellings_is_no_collision() -> None:
    assert find_collisions([(7, "Luka Dončić"), (7, "Luka Doncic")]) == {}


@pytest.mark.parametrize(
    ("name", "known", "lookup"),
    [
        ("Nikola Jokic", "Nikola Jokić", "nikolajokic"),
        ("Bruce Brown Jr", "Bruce Brown", "brucebrown"),
        ("Derrick Jones", "Derrick Jones Jr.", "derrickjonesjr"),
        ("Jimmy Butler", "Jimmy Butler III", "jimmybutleriii"),
        ("Nicolas Claxton", "Nic Claxton", "nicclaxton"),
        ("Ron Holland", "Ronald Holland II", "ronaldhollandii"),
        ("B.J. Boston Jr", "Brandon Boston", "brandonboston"),
        ("  C.J. McCollum ", "CJ McCollum", "cjmccollum"),
        ("Jae'sean Tate", "Jae'Sean Tate", "jaeseantate"),
    ],
)
def test_a_name_of_another_source_becomes_the_league_s_lookup(name: str, known: str, lookup: str) -> None:
    found = match_names([name], known=[known, "Somebody Else"])
    assert (found.lookups, found.unmatched, found.shared) == ({name: lookup}, (), {})


def test_a_name_that_matches_nobody_keeps_its_lookup_and_is_reported() -> None:
    found = match_names(["Jan Novák", "Nicolas Claxton"], known=["Moritz Wagner"])
    assert found.lookups == {"Jan Novák": "jannovak", "Nicolas Claxton": "nicolasclaxton"}
    assert found.unmatched == ("Jan Novák", "Nicolas Claxton")


def test_father_and_son_are_never_merged() -> None:
    both = ["Gary Payton", "Gary Payton II"]
    assert match_names(both, known=both).lookups == {"Gary Payton": "garypayton", "Gary Payton II": "garypaytonii"}
    one = match_names(both, known=["Gary Payton II"])
    assert one.lookups == {"Gary Payton": "garypayton", "Gary Payton II": "garypaytonii"}
    assert one.unmatched == ("Gary Payton",)
    assert one.shared == {"garypaytonii": ("Gary Payton",)}
    two = match_names(["Gary Payton III", "Gary Payton"], known=["Gary Payton II"])
    assert two.lookups == {"Gary Payton": "garypayton", "Gary Payton III": "garypaytoniii"}
    assert two.shared == {"garypaytonii": ("Gary Payton", "Gary Payton III")}


def test_a_looser_spelling_that_leads_to_two_players_leads_to_none() -> None:
    found = match_names(["Gary Payton"], known=["Gary Payton II", "Gary Payton Jr."])
    assert found.lookups == {"Gary Payton": "garypayton"}
    assert found.unmatched == ("Gary Payton",)


def test_two_spellings_of_one_name_are_one_claim() -> None:
    found = match_names(["Moe Wagner", "Moé Wagner"], known=["Moritz Wagner"])
    assert set(found.lookups.values()) == {"moritzwagner"}


@given(st.lists(st.sampled_from(["Jan Novak", "Jan Novak Jr", "Jan Novák III", "Moe Wagner", "Ota"]), unique=True))
def test_no_league_player_gets_two_lookups_of_another_source(names: list[str]) -> None:
    known = ["Jan Novak II", "Moritz Wagner", "Ota"]
    found = match_names(names, known=known)
    league = [player_lookup(name) for name in known]
    assert found.lookups.keys() == set(names)
    for lookup in league:
        assert len({player_lookup(name) for name in names if found.lookups[name] == lookup}) <= 1
    assert set(found.unmatched) == {name for name in names if found.lookups[name] not in league}


def test_aliases_are_lookups_without_suffix() -> None:
    for other, own in ALIASES.items():
        assert (player_lookup(other), player_lookup(own)) == (other, own)
        assert not own.endswith(("jr", "iii", "ii"))
