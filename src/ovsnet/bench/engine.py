"""The few engine calls the bench times, on one kept connection so that no process start is measured."""

import io
import json
import shutil
import tarfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from ovsnet.model.errors import OvsnetError, Unavailable

IMAGE = "ovsnet-bench:latest"


class BenchEngine:
    """A Docker engine on its unix socket."""

    def __init__(self, socket: str) -> None:
        self._session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=socket, limit=0))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Any = None, *, missing_ok: bool = False) -> Any:
        """One request; the engine's own words when it refuses."""
        try:
            async with self._session.request(method, f"http://docker{path}", json=body) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable("the Docker engine", f"{method} {path}: {str(error) or 'no answer in time'}") from error
        if answer.status >= 400 and not (missing_ok and answer.status == 404):
            raise OvsnetError(f"engine: {method} {path}: {text.strip()}")
        return _json(text)

    async def make_image(self) -> None:
        """A tiny image of this machine's own static busybox; nothing is downloaded."""
        where = {"fromSrc": "-", "repo": IMAGE.partition(":")[0], "tag": IMAGE.partition(":")[2]}
        async with self._session.post("http://docker/images/create", params=where, data=image()) as answer:
            if answer.status >= 400:
                raise OvsnetError(f"engine: the bench image was refused: {await answer.text()}")
            await answer.read()

    async def remove_image(self) -> None:
        """Take it away again."""
        await self.call("DELETE", f"/images/{IMAGE}?force=1", missing_ok=True)


def _json(text: str) -> Any:
    """The JSON of an answer; an empty object where there is none."""
    return json.loads(text) if text.strip().startswith(("{", "[")) else {}


def image() -> bytes:
    """A root file system with nothing but busybox, as a tar archive."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise OvsnetError("busybox is not installed; 'apt-get install busybox-static' gives the bench its image")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(Path(busybox).resolve(), "bin/busybox")
        for name in ("sh", "sleep"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return archive.getvalue()
