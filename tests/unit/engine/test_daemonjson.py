"""Our name server in the engine's settings file, and out again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovsnet.engine.daemonjson import (
    DaemonJson,
    dns_servers,
    host_servers,
    refuse_flag,
    servers_in,
    with_first,
    without,
)
from ovsnet.model.errors import BadRequest, Conflict

OURS = "169.254.83.83"
PRETTY = '{\n    "debug": true,\n    "log-opts": {"max-size": "10m", "dns": ["1.1.1.1"]}\n}\n'
NAMED = '{"debug":true, "dns" : [ "10.0.0.1",\n "10.0.0.2" ] , "tls":false}'


@pytest.fixture
def file(tmp_path: Path) -> DaemonJson:
    return DaemonJson(tmp_path / "daemon.json", tmp_path / "aside.json")


def put(text: str, *fallback: str) -> str:
    return with_first(text, OURS, fallback, where="daemon.json")


def out(text: str) -> str:
    return without(text, OURS, where="daemon.json")


def test_servers_that_were_named_stay_behind_ours_and_the_rest_as_it_was() -> None:
    assert put(NAMED) == f'{{"debug":true, "dns" : ["{OURS}", "10.0.0.1", "10.0.0.2"] , "tls":false}}'


def test_where_none_were_named_those_of_the_host_follow() -> None:
    assert put(PRETTY, "192.0.2.1") == PRETTY.replace("{\n", f'{{\n    "dns": ["{OURS}", "192.0.2.1"],\n', 1)


@pytest.mark.parametrize("text", ["", " \n", "{}", "{ }\n", '{"dns": []}'])
def test_an_empty_file_becomes_one_with_this_key(text: str) -> None:
    assert json.loads(put(text, "192.0.2.1")) == {"dns": [OURS, "192.0.2.1"]}


def test_a_second_time_changes_nothing() -> None:
    for text in (NAMED, PRETTY, ""):
        assert put(put(text, "192.0.2.1"), "192.0.2.7") == put(text, "192.0.2.1")


def test_taken_out_the_others_stay() -> None:
    assert json.loads(out(put(NAMED))) == json.loads(NAMED)
    assert json.loads(out(put(PRETTY))) == json.loads(PRETTY)
    assert out(NAMED) == NAMED


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"dns": ["1.1.1.1",]}', "not valid JSON"),
        ("{'dns': []}", "not valid JSON"),
        ("[]", "not a JSON object"),
        ('{"dns": "1.1.1.1"}', "not a list"),
        ('{"dns": [1]}', "not a list"),
        ("\ufeff{}", "not valid JSON"),
    ],
)
def test_a_broken_file_is_refused_with_a_sentence_and_stays(file: DaemonJson, text: str, reason: str) -> None:
    file.path.write_text(text)
    for attempt in (file.servers, lambda: file.put_first(OURS), lambda: file.take_out(OURS)):
        with pytest.raises(BadRequest, match=f"daemon.json.* {reason}.*nothing was changed"):
            attempt()
    assert file.path.read_text() == text
    assert not file.aside.exists()


def test_a_file_that_is_no_text_is_refused(file: DaemonJson) -> None:
    file.path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(BadRequest, match="cannot be read"):
        file.put_first(OURS)


@pytest.mark.parametrize("text", [NAMED, PRETTY, "", "{}", '{\r\n\t"dns": ["10.0.0.1"]\r\n}'])
def test_in_and_out_gives_back_the_very_same_file(file: DaemonJson, text: str) -> None:
    file.path.write_bytes(text.encode())
    assert file.put_first(OURS, ["192.0.2.1"])
    assert not file.put_first(OURS, ["192.0.2.1"])
    assert file.servers()[0] == OURS
    assert file.take_out(OURS)
    assert file.path.read_bytes() == text.encode()
    assert not file.take_out(OURS)
    assert not file.aside.exists()


def test_a_file_that_was_not_there_is_gone_again(file: DaemonJson) -> None:
    assert file.put_first(OURS, ["192.0.2.1"])
    assert json.loads(file.path.read_text()) == {"dns": [OURS, "192.0.2.1"]}
    assert file.path.stat().st_mode & 0o777 == 0o644
    assert file.take_out(OURS)
    assert not file.path.exists()


def test_what_somebody_changed_in_between_stays(file: DaemonJson) -> None:
    file.path.write_text(PRETTY)
    file.put_first(OURS, ["192.0.2.1"])
    file.path.write_text(file.path.read_text().replace("10m", "20m"))
    assert file.take_out(OURS)
    assert json.loads(file.path.read_text()) == {**json.loads(PRETTY.replace("10m", "20m")), "dns": ["192.0.2.1"]}


def test_mode_and_symbolic_link_stay(file: DaemonJson) -> None:
    real = file.path.with_name("real.json")
    real.write_text(PRETTY)
    real.chmod(0o640)
    file.path.symlink_to(real)
    file.put_first(OURS)
    assert file.path.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert dns_servers(real) == dns_servers(file.path) == (OURS,)


def test_a_container_is_given_no_server_on_the_hosts_loopback(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("# local\nnameserver 127.0.0.53\nsearch lan\n")
    real.write_text("nameserver 192.0.2.1\nnameserver 127.0.0.1\nnameserver 192.0.2.2\n")
    assert host_servers((stub, real)) == ("192.0.2.1", "192.0.2.2")
    assert host_servers((stub, tmp_path / "absent")) == ()


def test_an_engine_with_servers_on_its_command_line_is_left_alone(tmp_path: Path) -> None:
    pid = tmp_path / "docker.pid"
    refuse_flag(pid)
    pid.write_text(str(os.getpid()))
    refuse_flag(pid)


def test_a_flag_is_found(tmp_path: Path) -> None:
    waiting = [sys.executable, "-c", "print(flush=True); input()", "--dns", "1.1.1.1"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        engine.stdout.readline()  # before it runs, it has no command line
        pid = tmp_path / "docker.pid"
        pid.write_text(str(engine.pid))
        try:
            with pytest.raises(Conflict, match="--dns on its command line"):
                refuse_flag(pid)
        finally:
            engine.kill()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.text(max_size=5) | st.just("dns-opts"), JSON, max_size=4),
    st.none() | st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2", OURS]), unique=True),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_whatever_else_is_in_the_file_stays(
    others: dict[str, object], servers: list[str] | None, indent: int | str | None, escaped: bool
) -> None:
    others.pop("dns", None)
    whole = others if servers is None else {**others, "dns": servers}
    text = json.dumps(whole, indent=indent, ensure_ascii=escaped)
    now = put(text, "192.0.2.1")
    rest = [it for it in servers or ["192.0.2.1"] if it != OURS]
    assert json.loads(now) == {**others, "dns": [OURS, *rest]} or (servers == [OURS] and now == text)
    assert servers_in(now, where="it")[0] == OURS
    kept = {key: value for key, value in json.loads(out(now)).items() if key != "dns"}
    assert kept == others
