"""Every setting is listed with what it means."""

import tomllib
from dataclasses import replace

import msgspec

from ovsnet.cli.settings_list import Setting, settings_lines, settings_list
from ovsnet.settings import Settings


def test_every_setting_is_listed_once_and_explained() -> None:
    names = [it.name for it in settings_list()]
    assert names == [it.name for it in msgspec.structs.fields(Settings)]
    assert all(it.help for it in settings_list())


def test_the_defaults_are_toml_and_true() -> None:
    text = "\n".join(f"{it.name} = {it.default}" for it in settings_list())
    assert msgspec.convert(tomllib.loads(text), Settings) == Settings()


def test_limits_are_named() -> None:
    rest = next(it for it in settings_list() if it.name == "attach_deadline")
    assert rest.allowed == "more than 0, at most 60"
    assert replace(rest, help="") == Setting("attach_deadline", "number", "8.0", rest.allowed, "")


def test_the_lines_for_a_terminal_name_every_setting() -> None:
    text = "\n".join(settings_lines())
    assert all(f"{it.name} = {it.default}" in text for it in settings_list())
