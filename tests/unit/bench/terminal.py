"""What a person sees at a terminal of some width."""

import io
from collections.abc import Callable

from rich.console import Console


def shown(show: Callable[[Console], None], *, width: int) -> str:
    text = io.StringIO()
    show(Console(file=text, width=width))
    return text.getvalue()
