"""Promises about the settings."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from oddcall.models.errors import SettingError
from oddcall.service.commands.config import command
from oddcall.service.config.file import _settings, template
from oddcall.service.config.loading import load, setting_names, variable
from oddcall.service.config.settings import Settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "oddcall.toml"


def test_the_later_source_wins(file: Path) -> None:
    """Flags win over the environment, the environment over the file, the file over built-in."""
    file.write_text('budget = "2/day"\n[sensor]\ninterval = "2s"\nmin_events = 99\n')
    environ = {"ODDCALL_SENSOR_INTERVAL": "3s", "ODDCALL_BUDGET": "3/day"}
    loaded = load({"budget": "4/day", "sensor.loader": None}, file=file, environ=environ)
    assert str(loaded.settings.budget) == "4/day"
    assert loaded.settings.sensor.interval == 3
    assert loaded.settings.sensor.min_events == 99
    assert loaded.settings.sensor.max_age == 5
    assert loaded.origin == {
        "budget": "--budget",
        "sensor.interval": "ODDCALL_SENSOR_INTERVAL",
        "sensor.min_events": str(file),
    }


def test_every_wrong_setting_is_told_at_once(file: Path) -> None:
    """One error names each wrong setting, where it came from, what is allowed, what was got."""
    file.write_text('budget = "lots"\n[sensor]\nmax_agee = "1s"\nloader = "magic"\n')
    environ = {"ODDCALL_SENSOR_INTERVAL": "fast", "ODDCALL_SENSOR_MIN_EVENT": "20"}
    with pytest.raises(SettingError) as caught:
        load({"learning.duration": "10"}, file=file, environ=environ)
    first, *lines = [line.strip() for line in str(caught.value).splitlines()]
    assert first == "6 settings cannot be used:"
    no_such = "no such setting (did you mean"
    duration = "a duration from 100ms to 1h, such as 10s"
    budget = (
        "a number of alerts per hour, day or week, such as 1/day, or 0.1/week for very few "
        "(from 0.000001/day to 1000000/day)"
    )
    from_file, from_environ = f"({file}): ", "(ODDCALL_SENSOR_INTERVAL): "
    assert lines[:6] == [
        f"ODDCALL_SENSOR_MIN_EVENT: {no_such} ODDCALL_SENSOR_MIN_EVENTS?)",
        f"budget {from_file}expected {budget}, got 'lots'",
        "learning.duration (--learn): expected a duration from 1s to 30d, such as 10s, got '10'",
        f"sensor.interval {from_environ}expected {duration}, got 'fast'",
        f"sensor.loader {from_file}expected one of auto, bcc, core, got 'magic'",
        f"sensor.max_agee {from_file}{no_such} sensor.max_age?)",
    ]
    assert caught.value.exit_code == 2


def test_settings_that_do_not_go_together_are_told() -> None:
    """A window cannot be older than allowed before the first tick."""
    with pytest.raises(SettingError, match=r"max_age: expected no less than sensor.interval \(10s"):
        load({"sensor.interval": "10s"}, environ={})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"budget = ", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b"sensor = 5", "sensor .*expected a table of settings, got 5"),
        (b"budget = 7", "got 7"),
        (b"[sensor]\nmin_events = true", "expected a whole number from 16 to 1000000, got True"),
        (b"state_dir = ''", "state_dir .*expected a path"),
    ],
)
def test_a_wrong_file_is_told(file: Path, content: bytes, said: str) -> None:
    """Whatever the file holds, the answer is one error that names the file."""
    file.write_bytes(content)
    with pytest.raises(SettingError, match=said) as caught:
        load(file=file, environ={})
    assert str(file) in str(caught.value)


def test_variables_that_are_no_settings_are_left_alone(file: Path) -> None:
    """Where data sets lie, and a token that the file names, are not taken for mistyped settings."""
    file.write_text('[web]\ntoken = "${ODDCALL_TOKEN}"\n')
    token = "0123456789abcdef0123456789abcdef"
    environ = {"ODDCALL_DATASETS": "/sets", "ODDCALL_RECORDING": "clean", "ODDCALL_TOKEN": token}
    found = load(file=file, environ=environ).settings.web.token
    assert found is not None
    assert found.value == token
    with pytest.raises(SettingError, match=r"ODDCALL_TOKEN: no such setting \(did you mean"):
        load(environ=environ)


def test_the_advice_on_a_wrong_setting_can_be_followed() -> None:
    """A flag's name as a variable is understood, and what is to be typed next works meanwhile."""
    environ = {"ODDCALL_LEARN": "5m"}
    with pytest.raises(SettingError, match="did you mean ODDCALL_LEARNING_DURATION") as caught:
        load(environ=environ)
    typed = re.search(r"`oddcall config (.*?)`", str(caught.value))
    assert typed is not None
    shown = CliRunner().invoke(command, typed[1].split(), env=environ)
    assert shown.exit_code == 0
    assert 'duration = "10m"' in shown.output


def test_a_missing_file_is_told(file: Path) -> None:
    """A file that was asked for and is not there is an error, not ignored."""
    with pytest.raises(SettingError, match="no such file"):
        load(file=file, environ={})
    with pytest.raises(SettingError, match="no such file"):
        load(environ={"ODDCALL_CONFIG": str(file)})


def test_what_show_prints_can_be_loaded(file: Path) -> None:
    """`config show` is a whole, valid file that gives the same settings."""
    shown = CliRunner().invoke(command, ["show"], env={"ODDCALL_BUDGET": "5/week"})
    assert shown.exit_code == 0
    file.write_text(shown.output)
    again = load(file=file, environ={})
    assert again.settings == load(environ={"ODDCALL_BUDGET": "5/week"}).settings
    assert set(again.origin) == set(setting_names())
    assert "ODDCALL_BUDGET)" in shown.output


def test_every_setting_has_its_own_variable() -> None:
    """No two settings share a variable, and each can be set by it."""
    names = list(setting_names())
    assert len({variable(name) for name in names}) == len(names)
    assert tomllib.loads("") == load(environ={}).origin


def test_the_template_changes_nothing_and_hides_nothing(file: Path) -> None:
    """Every setting is in it, commented out at its built-in value; filled in, it is the same."""
    text = template()
    file.write_text(text)
    assert load(file=file, environ={}).origin == {}
    filled = re.sub(r"^#(?=[a-z_]+ = )(?!.*= \"\"$)", "", text, flags=re.MULTILINE)
    file.write_text(filled)
    loaded = load(file=file, environ={})
    assert loaded.settings == load(environ={}).settings
    known = _settings(Settings())
    empty = {name for name, value, _ in known if value is None or value == ""}
    assert set(loaded.origin) == set(setting_names()) - {"sinks"} - empty
    sinks = text[text.index("# [[sinks]]") :].replace("# ", "").replace("#", "")
    file.write_text(sinks)
    assert [sink.type for sink in load(file=file, environ={}).settings.sinks] == ["file", "syslog"]


def test_the_schema_is_a_schema_and_takes_what_is_built_in(file: Path) -> None:
    """`config schema` is valid JSON Schema, and the template, filled in, is valid by it."""
    schema = json.loads(CliRunner().invoke(command, ["schema"]).output)
    jsonschema.Draft202012Validator.check_schema(schema)
    filled = re.sub(r"^#(?=[a-z_]+ = )(?!.*= \"\"$)", "", template(), flags=re.MULTILINE)
    jsonschema.validate(tomllib.loads(filled), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"sensor": {"loader": "magic"}}, schema)


def test_every_default_of_the_schema_is_valid_by_it() -> None:
    """What `config schema` says is built in could be typed, in the settings and in every sink."""
    schema = json.loads(CliRunner().invoke(command, ["schema"]).output)
    parts = [schema, *schema["$defs"].values()]
    fields = {
        f"{part['title']}.{name}": field
        for part in parts
        for name, field in part["properties"].items()
        if "default" in field
    }
    assert len(fields) > 60, "none is looked past"
    wrong = {}
    for name, field in fields.items():
        found = jsonschema.Draft202012Validator({"$defs": schema["$defs"], **field})
        wrong[name] = [error.message for error in found.iter_errors(field["default"])]
    assert not {name: why for name, why in wrong.items() if why}
    assert fields["Settings.budget"]["default"] == "1/day"
    assert fields["AlertSection.quiet"]["default"] == "15s"


@pytest.mark.parametrize(
    ("content", "meant"),
    [
        ('budgett = "1/day"', "budget"),
        ('[sensor]\nbudgett = "1/day"', "budget, above the first [table]"),
        ('interval = "2s"', "sensor.interval"),
        ('[alert]\nquiet = "5s"', "alerts"),
        ("[web]\nprt = 1", "web.port"),
        ('colour = "red"', ""),
    ],
)
def test_what_was_meant_is_found_in_whatever_table(file: Path, content: str, meant: str) -> None:
    """A mistyped name is told from its likeness, also in the wrong table; a strange one is not."""
    file.write_text(content)
    with pytest.raises(SettingError) as caught:
        load({}, file=file, environ={})
    asked = f" (did you mean {meant}?)" if meant else ""
    assert f": no such setting{asked}. " in str(caught.value)
