"""What a distribution or an administrator takes from packaging/."""

import shutil
import subprocess
import tomllib
from collections.abc import Iterable
from configparser import RawConfigParser
from pathlib import Path

import pytest

from ovsnet.bench.delivery import PLOTS
from ovsnet.cluster.__main__ import NO_MEMBER
from ovsnet.cluster.identity import identity_files
from ovsnet.cluster.process import control_socket
from ovsnet.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
UNITS = sorted((ROOT / "packaging" / "systemd").iterdir())
INSTALLED = "/usr/bin/ovsnet"

# Each gives a unit a mount namespace of its own. A namespace Docker mounts under /run/docker/netns
# would not show there on every machine, and the agent could not reach the container.
PRIVATE_MOUNTS = {
    "BindPaths", "BindReadOnlyPaths", "ExecPaths", "InaccessiblePaths", "MountAPIVFS", "MountFlags",
    "NoExecPaths", "PrivateDevices", "PrivateMounts", "PrivateTmp", "ProcSubset", "ProtectControlGroups",
    "ProtectHome", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "ProtectProc",
    "ProtectSystem", "ReadOnlyPaths", "ReadWritePaths", "RootDirectory", "RootImage", "TemporaryFileSystem",
}  # fmt: skip


def unit(name: str) -> RawConfigParser:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(ROOT / "packaging" / "systemd" / name)
    return parser


def words(name: str, section: str, key: str) -> list[str]:
    return unit(name).get(section, key, fallback="").split()


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """As installed, with our program where this clone has it."""
    copies = [tmp_path / it.name for it in UNITS]
    for source, copy in zip(UNITS, copies, strict=True):
        copy.write_text(source.read_text().replace(INSTALLED, str(ROOT / ".venv/bin/ovsnet")))

    done = _verify(copies)

    assert (done.returncode, _about(done.stderr, copies)) == (0, [])


def test_the_verifier_sees_a_mistake(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.service"
    wrong.write_text("[Service]\nExecStart=/bin/true\nRestrat=always\n")

    assert _about(_verify([wrong]).stderr, [wrong]) != []


def _verify(units: Iterable[Path]) -> subprocess.CompletedProcess[str]:
    analyze = shutil.which("systemd-analyze")
    assert analyze, "systemd-analyze is missing: scripts/setup-machine installs it"
    return subprocess.run(
        [analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False, timeout=60
    )


def _about(messages: str, units: Iterable[Path]) -> list[str]:
    """Of all it says (also on other units of the machine), what is on these."""
    return [line for line in messages.splitlines() if any(it.name in line for it in units)]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_every_unit_comes_before_the_engine_and_none_after(path: Path) -> None:
    assert "docker.service" in words(path.name, "Unit", "Before")
    for relation in ("After", "Requires", "Wants", "BindsTo", "PartOf", "Requisite"):
        assert not any(it.startswith("docker") for it in words(path.name, "Unit", relation))


def test_the_agent_stays_in_the_machines_mount_namespace() -> None:
    assert set(unit("ovsnet.service")["Service"]) & PRIVATE_MOUNTS == set()


def test_the_agent_may_do_what_it_does() -> None:
    """A namespace with a name for the name service needs mounts; other members are reached over TCP."""
    assert {"setns", "mount", "umount2"} <= set(words("ovsnet.service", "Service", "SystemCallFilter"))
    assert "CAP_SYS_ADMIN" in words("ovsnet.service", "Service", "CapabilityBoundingSet")
    for name in ("ovsnet.service", "ovsnet-cluster.service"):
        assert {"AF_UNIX", "AF_INET", "AF_INET6"} <= set(words(name, "Service", "RestrictAddressFamilies"))
        assert "PrivateNetwork" not in unit(name)["Service"]


def test_the_agent_follows_its_socket_store_and_switch() -> None:
    assert words("ovsnet.service", "Unit", "After") == [
        "ovsnet.socket",
        "ovsnet-store.service",
        "ovsnet-cluster.service",
        "openvswitch-switch.service",
    ]
    # Wants and not Requires: without switch or store the engine must still get its answer.
    assert words("ovsnet.service", "Unit", "Wants") == [
        "ovsnet-store.service",
        "ovsnet-cluster.path",
        "openvswitch-switch.service",
    ]


def test_the_units_use_the_paths_of_the_settings() -> None:
    defaults = Settings()
    assert unit("ovsnet.socket")["Socket"]["ListenStream"] == defaults.plugin_socket
    for name in ("ovsnet.service", "ovsnet-store.service", "ovsnet-cluster.service"):
        assert f"/run/{unit(name)['Service']['RuntimeDirectory']}" == defaults.run_dir
        assert f"/var/lib/{unit(name)['Service']['StateDirectory']}" == defaults.state_dir
    member = str(identity_files(defaults).membership)
    assert unit("ovsnet-cluster.path")["Path"]["PathExists"] == member
    assert unit("ovsnet-cluster.service")["Unit"]["ConditionPathExists"] == member
    assert f"--target={control_socket(defaults)}" in words("ovsnet-cluster.service", "Service", "ExecStop")


def test_the_clusters_database_is_not_started_again_where_there_is_no_cluster() -> None:
    service = unit("ovsnet-cluster.service")["Service"]
    assert service["RestartPreventExitStatus"] == service["SuccessExitStatus"] == str(NO_MEMBER)


def test_all_units_are_installed_and_enabled() -> None:
    (line,) = (it for it in (ROOT / "scripts" / "install").read_text().splitlines() if it.startswith("names="))
    names = {it.name for it in UNITS}
    assert set(line.removeprefix("names=(").removesuffix(")").split()) == names
    assert {"ovsnet.service", *words("ovsnet.service", "Install", "Also")} == names


def test_the_locks_name_every_dependency_by_hash_and_no_registry() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for lock, names in (
        ("requirements.lock", wanted["dependencies"]),
        ("requirements-dev.lock", [*wanted["dependencies"], *wanted["optional-dependencies"]["dev"]]),
    ):
        text = (ROOT / lock).read_text()
        locked = {line.split("==")[0] for line in text.splitlines() if "==" in line}
        assert {_plain(name) for name in names} <= locked
        assert "://" not in text
        assert text.count("==") <= text.count("--hash=sha256:")


def test_what_is_optional_is_installed_for_the_tests_in_the_same_version() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras["plots"]) <= set(extras["dev"])
    assert extras["plots"] == [PLOTS]


def _plain(requirement: str) -> str:
    name = "".join(it if it.isalnum() or it in "-_" else " " for it in requirement).split()[0]
    return name.replace("_", "-").lower()
