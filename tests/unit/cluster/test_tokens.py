"""Join tokens: what comes back is what was sent, and damage is noticed and named."""

import re
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ovsnet.cluster import tokens
from ovsnet.cluster.tokens import Invitation
from ovsnet.model.cluster import Token
from ovsnet.model.errors import BadRequest
from ovsnet.model.ids import HostName

FINGERPRINT = bytes(range(32))
SECRET = b"sixteen bytes!!!"
WORD = Invitation(FINGERPRINT, SECRET).word
HERE = HostName("a")
NOW = 1_000_000.0

invitations = st.builds(Invitation, st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16))
letters = st.sampled_from(string.ascii_lowercase + string.digits)


def row(secret: bytes, expires_at: float = NOW + 60) -> Token:
    return Token(tokens.digest(secret), HERE, expires_at)


@given(invitations)
def test_what_is_read_is_what_was_written(invitation: Invitation) -> None:
    assert tokens.parse(invitation.word) == invitation


@given(invitations)
def test_a_token_is_one_word_that_no_shell_touches(invitation: Invitation) -> None:
    assert re.fullmatch(r"ovsnet1-[a-z2-7]{88}", invitation.word)


def test_the_form_of_a_token_stays_as_it_is() -> None:
    """Hosts of different versions read each other's tokens; another form is another version."""
    assert WORD == ("ovsnet1-aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypxg2lyorswk3ramj4xizlteeqscslvab7ve54r")


@pytest.mark.parametrize("text", [WORD.upper(), f"  {WORD}\n", f"{WORD[:40]}\n{WORD[40:]}", f"{WORD[:60]} {WORD[60:]}"])
def test_case_and_broken_lines_do_no_harm(text: str) -> None:
    assert tokens.parse(text) == Invitation(FINGERPRINT, SECRET)


@given(invitations, st.integers(8, 95), letters)
def test_one_wrong_character_is_noticed(invitation: Invitation, place: int, letter: str) -> None:
    word = invitation.word
    assume(word[place] != letter)
    with pytest.raises(BadRequest, match="mistyped"):
        tokens.parse(word[:place] + letter + word[place + 1 :])


@given(invitations, st.integers(8, 94))
def test_two_swapped_characters_are_noticed(invitation: Invitation, place: int) -> None:
    word = invitation.word
    assume(word[place] != word[place + 1])
    with pytest.raises(BadRequest, match="mistyped"):
        tokens.parse(word[:place] + word[place + 1] + word[place] + word[place + 2 :])


@pytest.mark.parametrize("text", [WORD[:-1], WORD + "a", WORD[:8], "ovsnet1-"])
def test_a_token_that_was_cut_short_is_called_so(text: str) -> None:
    with pytest.raises(BadRequest, match=r"has \d+ characters behind ovsnet1- instead of 88"):
        tokens.parse(text)


@pytest.mark.parametrize("text", ["", "ovsnet", "hello", "SWMTKN-1-abc", WORD[1:], WORD.replace("-", "_"), f"{WORD}!"])
def test_another_word_is_not_a_token(text: str) -> None:
    with pytest.raises(BadRequest, match="is not a join token"):
        tokens.parse(text)


def test_a_token_of_another_version_asks_for_that_version() -> None:
    with pytest.raises(BadRequest, match="of version 2 and this host knows version 1; install"):
        tokens.parse(WORD.replace("ovsnet1", "ovsnet2"))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        tokens.parse(text)


@given(invitations, st.integers(8, 95))
def test_no_message_repeats_the_secret(invitation: Invitation, place: int) -> None:
    word = invitation.word[:place] + "1" + invitation.word[place + 1 :]
    with pytest.raises(BadRequest) as refused:
        tokens.parse(word)
    assert word[60:80] not in str(refused.value)
    assert invitation.secret.hex() not in repr(invitation)
    assert repr(invitation.secret) not in repr(invitation)


def test_two_invitations_differ() -> None:
    assert tokens.invite(FINGERPRINT).secret != tokens.invite(FINGERPRINT).secret


def test_the_secret_is_as_long_as_it_must_be() -> None:
    assert tokens.invite(FINGERPRINT, bytes) == Invitation(FINGERPRINT, bytes(16))


def test_the_digest_is_sha_256() -> None:
    """RFC 6234; the value of an empty string."""
    assert tokens.digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(("age", "expected"), [(-1.0, True), (0.0, False), (1.0, False)])
def test_a_token_is_valid_until_it_expires(age: float, expected: bool) -> None:
    assert tokens.valid(row(SECRET, NOW - age), NOW) is expected


def test_the_right_secret_is_admitted_by_its_token() -> None:
    rows = [row(b"other"), row(SECRET), row(b"third")]
    assert tokens.admitting(rows, SECRET, NOW) == rows[1]


@pytest.mark.parametrize("rows", [[], [row(b"other")], [row(SECRET, NOW)], [row(SECRET, NOW - 1), row(b"other")]])
def test_wrong_and_expired_secrets_are_not_admitted(rows: list[Token]) -> None:
    assert tokens.admitting(rows, SECRET, NOW) is None
