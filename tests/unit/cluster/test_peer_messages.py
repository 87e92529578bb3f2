"""What agents say to each other: what is refused at the border, and errors that arrive as they were raised."""

from typing import Any

import msgspec
import pytest

from ovsnet.cluster.peer_messages import JoinRequest, PromoteAnswer, Refusal, YieldRequest, refusal, refused
from ovsnet.model.errors import ApplyError, BadRequest, Conflict, NotFound, OvsnetError, Stale, Unavailable

WHO = "host b (10.0.0.2)"
JOIN: dict[str, Any] = {
    "secret": "c2VjcmV0IQ==",
    "name": "c",
    "address": "10.0.0.3",
    "vtep": "fd00::3",
    "mtu": 1500,
    "version": "1",
    "certificate_request": "PEM",
}


def read_join(**changes: object) -> JoinRequest:
    return msgspec.json.decode(msgspec.json.encode(JOIN | changes), type=JoinRequest)


def test_a_join_comes_back_as_it_was_sent() -> None:
    request = read_join()
    assert request.secret == b"secret!"
    assert msgspec.json.decode(msgspec.json.encode(request), type=JoinRequest) == request


def test_a_field_of_a_newer_version_does_no_harm() -> None:
    assert read_join(colour="blue") == read_join()


@pytest.mark.parametrize(
    ("field", "value"),
    [("address", "10.0.0.300"), ("vtep", "a.example"), ("mtu", 40), ("mtu", "1500"), ("secret", "A" * 100)],
)
def test_a_join_that_makes_no_sense_is_not_read(field: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        read_join(**{field: value})


def test_a_bad_name_is_explained() -> None:
    with pytest.raises(BadRequest, match="'a b' cannot be a member's name"):
        read_join(name="a b")


@pytest.mark.parametrize("changes", [{"address": "x"}, {"count": -1}, {"family": 5}])
def test_a_yield_that_makes_no_sense_is_not_read(changes: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({"network": "n"} | changes), type=YieldRequest)


def test_secrets_do_not_show() -> None:
    assert "secret!" not in repr(read_join())
    assert "PEM" not in repr(PromoteAnswer(authority_key="PEM"))


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (BadRequest("no"), 400, f"{WHO} says: no"),
        (NotFound("no"), 404, f"{WHO} says: no"),
        (Conflict("no"), 409, f"{WHO} says: no"),
        (Stale("no"), 409, f"{WHO} says: no"),
        (OvsnetError("no"), 500, f"{WHO} says: no"),
        (ApplyError("port x", "is: no"), 500, f"{WHO}: port x: is: no"),
        (Unavailable("the store", "gone"), 503, f"the store of {WHO} is not available: gone"),
        (Unavailable("the store", "gone", remedy="wait"), 503, f"the store of {WHO} is not available: gone; wait"),
    ],
)
def test_an_error_arrives_as_it_was_raised(error: OvsnetError, status: int, sentence: str) -> None:
    code, said = refusal(error)
    arrived = refused(WHO, code, msgspec.json.decode(msgspec.json.encode(said), type=Refusal))
    assert (code, type(arrived), str(arrived)) == (status, type(error), sentence)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, BadRequest), (403, BadRequest), (413, BadRequest), (429, Conflict), (500, OvsnetError), (404, Unavailable)],
)
def test_a_refusal_without_a_kind_is_told_by_its_status(status: int, kind: type[OvsnetError]) -> None:
    """404 without a kind is no answer of ours: the other agent does not have the route."""
    assert type(refused(WHO, status, Refusal(error="no"))) is kind


def test_a_kind_of_a_newer_version_is_told_by_its_status() -> None:
    assert type(refused(WHO, 409, Refusal(error="no", kind="Entangled"))) is Conflict
