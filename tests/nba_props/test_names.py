import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_props.errors import DataError
from nba_props.names import find_collisions, player_lookup

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
