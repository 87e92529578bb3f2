"""Options that several verbs of the bench have."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from ovsnet.model.errors import BadRequest

Verb = TypeVar("Verb", bound=Callable[..., Any])

only_option = click.option(
    "--only", multiple=True, metavar="NAME", help="Only this subject, as the table names it; repeatable."
)
probe_option = click.option(
    "--probe", multiple=True, metavar="NAME", help="Only tcp, udp, latency, packets, connections; repeatable."
)
datapath_option = click.option(
    "--datapath",
    type=click.Choice(["auto", "system", "netdev"]),
    default="auto",
    show_default=True,
    help="Open vSwitch's: of the kernel, or in userspace; auto is the kernel's where there is one.",
)


def rounds_option(default: int) -> Callable[[Verb], Verb]:
    """`--rounds`."""
    return click.option(
        "--rounds",
        default=default,
        show_default=True,
        type=click.IntRange(1, 1000),
        help="Rounds that count, after one that does not.",
    )


def numbers(option: str, text: str) -> Sequence[int]:
    """Whole numbers from 0, the smallest first, as a person writes them; BadRequest says what is wrong with them."""
    try:
        found = [int(it) for it in text.split(",")]
    except ValueError:
        found = []
    if not found or found != sorted(set(found)) or found[0] < 0:
        raise BadRequest(f"{option} {text}: write whole numbers separated by commas, the smallest first")
    return found
