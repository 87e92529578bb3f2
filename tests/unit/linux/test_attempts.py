"""A refusal is a value, whoever refused."""

import pytest

from ovsnet.linux.attempts import attempt
from ovsnet.model.errors import ApplyError, Unavailable


async def refused_by(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    "error", [ApplyError("eth1", "no room"), OSError(12, "no room"), Unavailable("network namespace x", "no room")]
)
async def test_what_is_refused_is_told_of_the_interface_and_stops_no_other(error: Exception) -> None:
    refusal = await attempt("eth1", refused_by(error))
    assert refusal is not None
    assert refusal.resource == "eth1"
    assert "no room" in refusal.reason
