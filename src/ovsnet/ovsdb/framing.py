"""Cuts a stream of bytes into JSON objects; RFC 7047 4 sends them one after the other. Pure."""

import re

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?P<closed>")?|[{}]', re.DOTALL)
"""A string, closed or not yet, or a brace outside of strings."""
_OPEN, _CLOSE = b"{}"


class Framing:
    """Feed it what arrives; it gives back the objects that are complete."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._seen = 0
        self._depth = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The objects `data` completes, oldest first; ValueError for what cannot be a row of objects."""
        self._text += data
        ends = self._ends()
        starts = [0, *ends]
        complete = [bytes(self._text[start:end]) for start, end in zip(starts, ends, strict=False)]
        del self._text[: starts[-1]]
        self._seen -= starts[-1]
        if self._text and self._text[0] != _OPEN:
            raise ValueError(f"{bytes(self._text[:40])!r} does not begin a JSON object")
        return complete

    def _ends(self) -> list[int]:
        """Where objects end in what was not looked at yet."""
        ends = []
        for token in _TOKEN.finditer(self._text, self._seen):
            if token.lastgroup:
                continue
            start = token.start()
            if self._text[start] == _OPEN:
                self._depth += 1
            elif self._text[start] == _CLOSE:
                self._depth -= 1
                if self._depth == 0:
                    ends.append(token.end())
            else:
                # A string that goes on in what comes next.
                self._seen = start
                return ends
        self._seen = len(self._text)
        return ends
