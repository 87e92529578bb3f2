"""What the code behind the plugin socket can reach."""

import ast
from pathlib import Path

import ovsnet
from ovsnet.model.network import ENDPOINT_OPTIONS

SOURCE = Path(ovsnet.__file__).parent


def test_no_driver_call_can_reach_the_engine() -> None:
    """During most calls the engine holds a lock that its own API waits for: a question would block both."""
    reached, waiting = set[str](), [f"ovsnet.docker.{it.stem}" for it in (SOURCE / "docker").glob("*.py")]
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += _imports(module)
    assert "ovsnet.control.requests" in reached
    assert not [it for it in reached if it.startswith(("ovsnet.engine", "aiohttp.client"))]


def test_endpoint_options_survive_the_command_line_lowercasing_them() -> None:
    """`docker run --network name=web,driver-opt=Key=Value` does, `docker network connect` does not."""
    assert [key for key in ENDPOINT_OPTIONS if key != key.lower()] == []


def _imports(module: str) -> list[str]:
    """The modules of ours that a module imports by name."""
    path = SOURCE.joinpath(*module.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not file.exists():
        return []
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ovsnet"):
            found += [node.module, *(f"{node.module}.{it.name}" for it in node.names)]
    return found
