"""Whether a member's certificate is told to be good, soon over, over, or another cluster's."""

import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from ovsnet.agent.credentials import troubles
from ovsnet.cluster import authority
from ovsnet.cluster.identity import IdentityFiles, write_private
from ovsnet.model.ids import HostName
from ovsnet.observe.findings import Level

H1 = HostName("h1")
DAY = 86400.0
OURS = authority.new_authority("ours", time.time())
OTHERS = authority.new_authority("others", time.time())


def files(folder: Path, signer: authority.Authority, age: float) -> IdentityFiles:
    """As of a host that was let in so many days ago."""
    it, request = IdentityFiles(folder), authority.new_request(H1)
    made = time.time() - age * DAY
    addresses = (ip_address("10.99.0.1"),)
    certificate = authority.sign(signer, request.request_pem, name=H1, addresses=addresses, now=made)
    for path, text in (
        (it.authority, OURS.certificate_pem),
        (it.key, request.key_pem),
        (it.certificate, certificate),
    ):
        write_private(path, text.encode())
    return it


@pytest.mark.parametrize(
    ("signer", "age", "level", "words"),
    [
        (OURS, 3651, Level.PROBLEM, "The certificate of h1 has expired"),
        (OURS, 3640, Level.WARNING, "The certificate of h1 expires soon"),
        (OTHERS, 0, Level.PROBLEM, "was not signed by CN=ovsnet cluster ours"),
    ],
)
def test_a_certificate_that_others_do_not_take_is_told_with_what_to_do(
    tmp_path: Path, signer: authority.Authority, age: float, level: Level, words: str
) -> None:
    it = files(tmp_path, signer, age)

    (said,) = troubles(it, H1, level)

    assert words in said
    assert said.endswith(
        "'ovsnet cluster leave' (--force where the cluster does not answer), then join again with a new token."
    )
    assert list(troubles(it, H1, Level.OK)) == []


def test_of_a_good_one_nothing_is_said(tmp_path: Path) -> None:
    it = files(tmp_path, OURS, 0)

    assert list(troubles(it, H1, Level.PROBLEM)) == list(troubles(it, H1, Level.WARNING)) == []
