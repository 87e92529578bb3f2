"""How an interface is slowed down and disturbed, and the words for it: those of tc(8). Pure."""

import re
from dataclasses import dataclass

from ovsnet.model.errors import BadRequest

RATES = {"bit": 1, "kbit": 10**3, "mbit": 10**6, "gbit": 10**9}
TIMES = {"us": 1, "ms": 10**3, "s": 10**6}
LEAST_RATE, MOST_RATE = 8 * 10**3, 32 * 10**9
"""Bits a second. The kernel's older messages hold no more than 34 Gbit/s."""
LONGEST_DELAY = 60 * 10**6
"""Microseconds."""
NONE = "0"
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z%]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shape:
    """`rate` is the most it may send and the most it may receive, in bits a second, 0 for no bound. Of what it sends it
    loses `loss` percent, and delays all by `delay` microseconds, some more and some less by up to `jitter`.
    """

    rate: int = 0
    loss: float = 0.0
    delay: int = 0
    jitter: int = 0

    @property
    def disturbed(self) -> bool:
        """Whether packets are lost or late on purpose."""
        return bool(self.loss or self.delay)


UNSHAPED = Shape()


def parse_rate(text: str, option: str = "--rate ") -> int:
    """Bits a second; 0 where nothing is said. `option` is what stands before it where somebody wrote it."""
    if text in ("", NONE):
        return 0
    number, unit = _quantity(option, text, "like 100mbit")
    if unit not in RATES:
        raise BadRequest(f"{option}{text!r}: the unit must be one of {', '.join(RATES)}, like 100mbit")
    rate = round(number * RATES[unit])
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise BadRequest(f"{option}{text!r}: from 8kbit to 32gbit; 0 is no bound")
    return rate


def rate_words(rate: int) -> str:
    """The value of --rate; "" for no bound."""
    return _largest(rate, RATES) if rate > 0 else ""


def parse_loss(text: str) -> float:
    """Percent."""
    if text in ("", NONE):
        return 0.0
    number, unit = _quantity("--loss ", text, "like 30%")
    if unit not in ("", "%") or number > 100:
        raise BadRequest(f"--loss {text!r}: give percent, from 0 to 100, like 30%")
    return number


def parse_delay(text: str) -> tuple[int, int]:
    """Microseconds, and how much more or less."""
    if text in ("", NONE):
        return 0, 0
    first, *rest = text.split()
    if len(rest) > 1:
        raise BadRequest(f"--delay {text!r}: a time, and one for how much it varies, like '50ms 10ms'")
    delay, jitter = _time(text, first), _time(text, rest[0]) if rest else 0
    if jitter > delay:
        raise BadRequest(f"--delay {text!r}: it cannot vary by more than itself")
    return delay, jitter


def words_of(shape: Shape) -> tuple[str, str, str]:
    """The values of --rate, --loss and --delay, "" for each that is not there."""
    loss = f"{shape.loss:g}%" if shape.loss else ""
    times = [shape.delay, *([shape.jitter] if shape.jitter else [])] if shape.delay else []
    return rate_words(shape.rate), loss, " ".join(_largest(it, TIMES) for it in times)


def _time(whole: str, text: str) -> int:
    number, unit = _quantity("--delay ", text, "like 50ms or '50ms 10ms'")
    if unit not in TIMES:
        raise BadRequest(f"--delay {whole!r}: the unit must be one of {', '.join(TIMES)}, like 50ms")
    time = round(number * TIMES[unit])
    if time > LONGEST_DELAY:
        raise BadRequest(f"--delay {whole!r}: more than 60s")
    return time


def _quantity(option: str, text: str, example: str) -> tuple[float, str]:
    found = _QUANTITY.fullmatch(text.strip())
    if found is None:
        raise BadRequest(f"{option}{text!r} cannot be understood; write it {example}")
    return float(found[1]), found[2].lower()


def _largest(number: int, units: dict[str, int]) -> str:
    unit = max((it for it in units if not number % units[it]), key=lambda it: units[it])
    return f"{number // units[unit]}{unit}"
