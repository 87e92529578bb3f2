"""Where a report goes: what cannot be written is refused before anything is measured."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner

from ovsnet.bench.delivery import NOTHING, Output, deliver, effort_options, output_options
from ovsnet.bench.report import from_json, to_csv
from ovsnet.bench.tally import Effort
from ovsnet.model.errors import BadRequest
from tests.unit.bench.reports import report


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (lambda _: Output(json="-", csv="-"), "only one of them can go to standard output"),
        (lambda here: Output(json=f"{here}/no/a.json"), "there is no folder .*/no; make it first"),
        (lambda here: Output(csv=f"{here}"), "that is a folder; name a file"),
        (lambda here: Output(plots=f"{here}/a.json"), "there is no folder"),
        (lambda _: Output(csv="/run/a.csv"), "--csv /run/a.csv: the bench runs with a /run of its own"),
        (lambda _: Output(plots="/run/user/0/x"), "the bench runs with a /run of its own"),
        (lambda _: Output(json="/proc/sys/x.json"), "the bench runs with a /proc of its own"),
    ],
)
def test_what_cannot_be_written_is_refused(output: Callable[[Path], Output], reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").touch()
    with pytest.raises(BadRequest, match=reason):
        output(tmp_path).check()


def test_what_can_be_written_is_taken(tmp_path: Path) -> None:
    Output(json="-", csv=f"{tmp_path}/a.csv", plots=f"{tmp_path}/new/figures").check()
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from ovsnet.bench.delivery import Output\n"
        f"Output(plots={str(tmp_path)!r}).check()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert f"is not installed; install ovsnet[plots], or: {sys.executable} -m pip install" in done.stderr


def test_files_are_written_and_the_table_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deliver(report(), Output(json=f"{tmp_path}/a.json", csv=f"{tmp_path}/a.csv"))
    assert from_json((tmp_path / "a.json").read_bytes(), "a.json") == report()
    assert (tmp_path / "a.csv").read_text() == to_csv(report())
    shown = capsys.readouterr()
    assert "ovsnet is so many times as good as" in shown.out
    assert shown.err == f"wrote {tmp_path}/a.json\nwrote {tmp_path}/a.csv\n"


def test_standard_output_is_json_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    deliver(report(), Output(json="-"))
    assert from_json(capsys.readouterr().out, "stdout") == report()


def test_a_report_of_nothing_ends_with_its_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        deliver(msgspec.structs.replace(report(), series=[]), Output())
    assert ended.value.code == NOTHING
    assert "nothing was measured: it is not available; x failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "effort", "output"),
    [
        ([], Effort(5, 2.0), Output()),
        (["--quick", "--json"], Effort(1, 1.0), Output(json="-")),
        (["--json", "--rounds", "3"], Effort(3, 2.0), Output(json="-")),
        (["--seconds", "7", "--csv", "-"], Effort(5, 7.0), Output(csv="-")),
    ],
)
def test_options_become_values(arguments: list[str], effort: Effort, output: Output) -> None:
    seen: list[object] = []

    @click.command()
    @effort_options
    @output_options
    def verb(**given: object) -> None:
        seen.append(given)

    assert CliRunner().invoke(verb, arguments).exit_code == 0
    assert seen == [{"effort": effort, "output": output}]
