"""Fixtures of the functional tier: real daemons in a private folder."""

from collections.abc import Iterator

import pytest
from tests.functional.switch import Switch, private_switch


@pytest.fixture
def switch() -> Iterator[Switch]:
    """A running Open vSwitch that nobody else uses."""
    with private_switch() as it:
        yield it
