"""What is about to be put into other network namespaces, written down before: marks are there, too, but a process that
starts could not tell in which of all namespaces to look for them.

One file a resource, in a folder that is gone after a boot, as namespaces are. A note that says too much does no harm.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger("journal")


class Journal:
    """Notes by resource key, of values that JSON has. Without a folder nothing is kept."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def read(self) -> Iterator[tuple[str, Any]]:
        """What earlier processes noted and nobody struck out."""
        if self._folder is None or not self._folder.is_dir():
            return
        for file in sorted(it for it in self._folder.iterdir() if not it.name.startswith(".")):
            try:
                yield file.name, json.loads(file.read_text())
            except (OSError, ValueError) as error:
                log.warning("a note cannot be read", file=str(file), reason=str(error))

    def note(self, key: str, value: Any) -> None:
        """Have this said of it, wholly or not at all; OSError when it cannot be written."""
        if self._folder is None:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".{key}"
        draft.write_text(json.dumps(value))
        draft.rename(self._folder / key)

    def strike(self, key: str) -> None:
        """There is nothing of it any more."""
        if self._folder is not None:
            with suppress(OSError):
                (self._folder / key).unlink(missing_ok=True)


def journal_of(run_dir: str, what: str) -> Journal:
    """That of one kind of resource of this host."""
    return Journal(Path(run_dir).absolute() / "inside" / what)
