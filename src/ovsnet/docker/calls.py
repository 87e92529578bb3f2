"""What a driver offers: its calls by name. Pure."""

from collections.abc import Awaitable, Callable, Mapping

from ovsnet.docker.answers import Answer

Call = Callable[[bytes], Awaitable[Answer]]
"""Takes the request's body and returns the answer, or raises an OvsnetError whose text the user reads."""

Calls = Mapping[str, Call]
"""By method name as in the URL, such as `NetworkDriver.Join`."""
