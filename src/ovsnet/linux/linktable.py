"""The links of this network namespace, kept current by the kernel's own events."""

import asyncio
from collections.abc import Callable, Collection, Iterable

from ovsnet.linux.linkmessage import NEWLINK, Link, Message, list_request, messages, single_request
from ovsnet.linux.subscription import Subscription

EVENTS_OF_LINKS = 1
"""RTMGRP_LINK."""

OnChange = Callable[[Link | None, Link | None, bool], None]
"""Before, after, and whether it left for another namespace (then there is no after)."""


class LinkTable:
    """All links of the namespace in which it was opened. `on_change` hears of every single change, in
    order.
    """

    def __init__(self, on_change: OnChange, *, deadline: float = 5.0) -> None:
        """`deadline` is in seconds and holds for each listing."""
        self._on_change = on_change
        self._kernel = Subscription(
            self, messages, what="links", groups=EVENTS_OF_LINKS, request=list_request, deadline=deadline
        )
        self._by_index: dict[int, Link] = {}
        self._by_name: dict[str, Link] = {}
        self._listed: set[int] = set()  # the links seen since the listing began
        self._news = asyncio.Event()

    def open(self) -> None:
        """Subscribe to the events. Nothing is listed yet."""
        self._kernel.open()

    def close(self) -> None:
        """Stop listening; what is known stays."""
        self._kernel.close()

    async def relist(self) -> None:
        """Read all links afresh; Unavailable when the kernel does not list them in time."""
        await self._kernel.relist()

    def drain(self) -> None:
        """Take in everything the kernel has sent up to now."""
        self._kernel.drain()

    def get(self, name: str) -> Link | None:
        """The link of that name, if there is one."""
        return self._by_name.get(name)

    def at(self, index: int) -> Link | None:
        """The link of that index, if there is one."""
        return self._by_index.get(index)

    def all(self) -> Collection[Link]:
        """Every link, whoever made it."""
        return self._by_index.values()

    async def appearance(self, name: str, within: float) -> Link:
        """The link of that name, as soon as there is one; TimeoutError after `within` seconds."""
        async with asyncio.timeout(within):
            while name not in self._by_name:
                self._news.clear()
                await self._news.wait()
        return self._by_name[name]

    def look_at(self, names: Iterable[str]) -> None:
        """Read these links afresh: the kernel tells by itself of changes to links that are up only."""
        for name in names:
            self._kernel.ask(single_request(name))
        self._kernel.drain()

    # ---------------------------------------------------------------- what the subscription calls

    def begin(self) -> None:
        """A listing begins."""
        self._listed = set()

    def take(self, message: Message) -> None:
        """One link was listed, came, changed or went."""
        if message.link is None:
            return
        after = message.link if message.type == NEWLINK else None
        (self._listed.discard if after is None else self._listed.add)(message.link.index)
        self._replace(message.link.index, after, moved=message.moved)

    def end(self) -> None:
        """The listing is complete: what was not listed is gone."""
        for index in self._by_index.keys() - self._listed:
            self._replace(index, None)

    def _replace(self, index: int, after: Link | None, *, moved: bool = False) -> None:
        before = self._by_index.pop(index, None)
        if before is not None and self._by_name.get(before.name) is before:
            del self._by_name[before.name]
        if after is not None:
            self._by_index[index] = self._by_name[after.name] = after
        if before != after:
            self._news.set()
            self._on_change(before, after, moved)
