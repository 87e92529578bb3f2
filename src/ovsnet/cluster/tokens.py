"""Invitations into a cluster: one word to copy from a member to the host that shall join. Pure but for the secret.

    ovsnet1-<88 letters and digits>   base32 of   fingerprint (32 bytes)   which cluster: SHA-256 of its authority
                                                  secret      (16)         that the bearer was invited
                                                  checksum     (7)         that the word was copied whole

The fingerprint lets the joining host check whom it talks to before it says the secret. The cluster keeps the secret's
digest only, with a date. No message of this module repeats what it was given: it may end up in a log.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ovsnet.model.cluster import Token
from ovsnet.model.errors import BadRequest

PREFIX = "ovsnet1-"
FINGERPRINT_SIZE = 32
SECRET_SIZE = 16
CHECKSUM_SIZE = 7
"""Bytes. 7, because 55 bytes are a whole number of base32 groups: no padding, and no bits that mean nothing."""
_FORM = re.compile(r"ovsnet([0-9]+)-([a-z0-9]*)")
REMEDY = "copy the whole word from the member that made it, or make another one there with 'ovsnet cluster token'"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a token says. Equal exactly when the words are."""

    fingerprint: bytes
    secret: bytes = field(repr=False)

    @property
    def word(self) -> str:
        """The token as people copy it: lower case, nothing a shell or a mail program would touch."""
        content = self.fingerprint + self.secret
        return PREFIX + base64.b32encode(content + _checksum(content)).decode().lower()


def invite(fingerprint: bytes, random: Callable[[int], bytes] = secrets.token_bytes) -> Invitation:
    """A new invitation into the cluster whose authority has this fingerprint."""
    return Invitation(fingerprint, random(SECRET_SIZE))


def parse(text: str) -> Invitation:
    """What the word says; BadRequest when it is none, is damaged, or is of another version.

    Case does not matter, nor does white space: terminals break long words when they are copied.
    """
    word = "".join(text.split()).lower()
    form = _FORM.fullmatch(word)
    if form is None:
        raise BadRequest(f"this is not a join token, which begins with {PREFIX}; {REMEDY}")
    if form[1] != "1":
        raise BadRequest(
            f"the join token is of version {form[1]} and this host knows version 1; install the same version of ovsnet "
            "here as on the member that made it"
        )
    return _decode(form[2])


def digest(secret: bytes) -> str:
    """SHA-256, in hex: what the cluster keeps of a secret, which is 128 bits of chance: nothing slower is needed."""
    return hashlib.sha256(secret).hexdigest()


def valid(token: Token, now: float) -> bool:
    """Whether it may still be used. `now`: seconds since the epoch."""
    return now < token.expires_at


def admitting(tokens: Iterable[Token], secret: bytes, now: float) -> Token | None:
    """The valid token with this secret; None for wrong and expired secrets alike.

    Looks at every token and compares in constant time, so that the time it takes tells nothing.
    """
    wanted = digest(secret)
    found = [it for it in tokens if hmac.compare_digest(it.digest, wanted) & valid(it, now)]
    return found[0] if found else None


def _decode(letters: str) -> Invitation:
    whole = (FINGERPRINT_SIZE + SECRET_SIZE + CHECKSUM_SIZE) * 8 // 5
    if len(letters) != whole:
        raise BadRequest(f"the join token has {len(letters)} characters behind {PREFIX} instead of {whole}; {REMEDY}")
    try:
        content = base64.b32decode(letters.upper())
    except ValueError:  # 0, 1, 8, 9 and nothing else: the form was checked
        raise BadRequest(f"the join token was mistyped: it never holds the digits 0, 1, 8 and 9; {REMEDY}") from None
    content, checksum = content[:-CHECKSUM_SIZE], content[-CHECKSUM_SIZE:]
    if checksum != _checksum(content):
        raise BadRequest(f"the join token was mistyped: its checksum is wrong; {REMEDY}")
    return Invitation(content[:FINGERPRINT_SIZE], content[FINGERPRINT_SIZE:])


def _checksum(content: bytes) -> bytes:
    """Over the version as well: a token of another version is none of ours."""
    return hashlib.sha256(PREFIX.encode() + content).digest()[:CHECKSUM_SIZE]
