"""Which things people mean by a word."""

import pytest

from ovsnet.model.called import Known, called

THINGS = {
    "db": Known(["db", "shop"], "data", ["abc1"]),
    "web1": Known(["web1"], "web", ["abc2"]),
    "web2": Known(["web2"], "web", ["db17"]),
    "nameless": Known([""], "", ["f00"]),
}


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("db", ["db"]),
        ("shop", ["db"]),
        ("web", ["web1", "web2"]),
        ("ab", ["db", "web1"]),
        ("db1", ["web2"]),
        ("f0", ["nameless"]),
        ("", []),
        ("none", []),
    ],
)
def test_a_name_comes_before_a_service_and_the_beginning_of_an_id_last(word: str, meant: list[str]) -> None:
    assert called(word, THINGS, THINGS.__getitem__) == tuple(meant)
