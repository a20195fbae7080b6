"""Promises about the settings of sinks: checked whole, and secrets kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from oddcall.models.errors import SettingError
from oddcall.service.commands.config import command
from oddcall.service.config.loading import load
from oddcall.service.sinks.opening import open_transport
from oddcall.service.sinks.sections import SECTIONS, name_of

WHOLE = """
[[sinks]]
type = "stdout"
format = "ecs"

[[sinks]]
type = "file"
path = "/var/log/oddcall/alerts.jsonl"
max_mb = 10
keep = 3

[[sinks]]
type = "syslog"
name = "siem"
address = "tls://siem.example"
facility = "authpriv"
format = "ocsf"
min_severity = "medium"
states = ["open", "close"]
programs = ["nginx", "/opt/*"]

[[sinks]]
type = "webhook"
url = "https://siem.example/${HOOK}"
batch = 50
timeout = "5s"
headers.Authorization = "Bearer ${TOKEN}"

[[sinks]]
type = "slack"
url = "${SLACK}"

[[sinks]]
type = "nats"
url = "tls://nats.example"
token = "${TOKEN}"

[[sinks]]
type = "journald"
"""
ENVIRON = {"HOOK": "h00k", "TOKEN": "t0ken", "SLACK": "https://chat.example/s3cret"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "oddcall.toml"


def wrong(text: str, file: Path, **environ: str) -> list[str]:
    """Every sentence of the error that a file gives."""
    file.write_text(text)
    with pytest.raises(SettingError) as caught:
        load(file=file, environ=environ)
    assert caught.value.exit_code == 2
    lines = [line.strip().replace(f" ({file})", "") for line in str(caught.value).splitlines()]
    if lines[0].endswith("cannot be used:"):
        return lines[1:-1]
    return [lines[0].removesuffix(f". {caught.value.fix}")]


def test_every_type_can_be_configured(file: Path) -> None:
    """A file with one sink of each type gives them, in order, ready to be opened."""
    file.write_text(WHOLE)
    sinks = load(file=file, environ=ENVIRON).settings.sinks
    assert [sink.type for sink in sinks] == list(SECTIONS)
    assert [name_of(sink) for sink in sinks][2:4] == ["siem", "webhook"]
    assert sinks[3].url.value == "https://siem.example/h00k"
    assert sinks[3].headers["Authorization"].value == "Bearer t0ken"
    for sink in sinks:
        transport = open_transport(sink)
        assert transport.batch >= 1
        transport.close()


def test_every_mistake_is_told_at_once(file: Path) -> None:
    """One error names each, with its sink, what is allowed and what was got."""
    text = """
    [[sinks]]
    type = "webhook"
    url = "ftp://siem.example"
    timeou = "3s"
    timeout = 5
    headers."X Y" = "a"
    [[sinks]]
    type = "sylog"
    [[sinks]]
    path = "x"
    [[sinks]]
    type = "syslog"
    states = ["opened"]
    programs = []
    min_severity = "grave"
    format = "cef"
    queue = 0
    [[sinks]]
    type = "nats"
    url = "nats://n"
    subject = "a.*"
    name = "Big Name"
    """
    where = "udp://host:port, tcp://host:port, tls://host:port or unix:///path"
    states = "a list of one or more of open, update, close"
    name = "a name of small letters, digits, - and _, such as siem"
    every = "stdout, file, syslog, webhook, slack, nats, journald"
    assert wrong(text, file) == [
        "sink 1 (webhook) headers.X Y: expected a name of a header",
        "sink 1 (webhook) timeou: no such setting (did you mean timeout?)",
        "sink 1 (webhook) timeout: expected a duration from 100ms to 5m, such as 10s, got 5",
        "sink 1 (webhook) url: expected a URL with https:// or http:// and a host",
        f"sink 2: expected as type one of {every}, got 'sylog'",
        f"sink 3: expected as type one of {every}",
        f"sink 4 (syslog) address: it is missing ({where})",
        "sink 4 (syslog) format: expected one of native, ocsf, ecs, falco, got 'cef'",
        "sink 4 (syslog) min_severity: expected one of low, medium, high, critical, got 'grave'",
        'sink 4 (syslog) programs: expected a list of globs, such as ["nginx", "/opt/*"], got []',
        "sink 4 (syslog) queue: expected a whole number from 1 to 1000000, got 0",
        f"sink 4 (syslog) states: expected {states}, got ['opened']",
        f"sink 5 (nats) name: expected {name}, got 'Big Name'",
        "sink 5 (nats) subject: expected a subject such as oddcall.alerts, got 'a.*'",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sinks = 5\n", "expected [[sinks]] tables"),
        ('[sinks]\ntype = "stdout"\n', "expected [[sinks]] tables"),
        ('sinks = ["stdout"]\n', "sink 1: expected as type one of"),
        ('[[sinks]]\ntype = "stdout"\n' * 2, "a name of its own for each sink, not stdout twice"),
        (
            '[[sinks]]\ntype = "stdout"\n[[sinks]]\ntype = "stdout"\nname = "b"\n',
            "one sink on standard output at most",
        ),
    ],
)
def test_wrong_forms_are_told(file: Path, text: str, said: str) -> None:
    """What is no list of tables, or not told apart, is one sentence."""
    [sentence] = wrong(text, file)
    assert said in sentence


def test_a_variable_that_is_not_set_is_told(file: Path) -> None:
    """An alert must not go out with an empty password."""
    assert wrong(WHOLE, file, HOOK="h", TOKEN="") == [
        "sink 4 (webhook) headers.Authorization: expected the variable TOKEN to be set",
        "sink 5 (slack) url: expected the variable SLACK to be set",
        "sink 6 (nats) token: expected the variable TOKEN to be set",
    ]


def test_no_secret_is_told(file: Path) -> None:
    """A value that may be secret is in no error, nor in the text or JSON of `config show`."""
    text = """
    [[sinks]]
    type = "webhook"
    url = "https://user:s3cret@siem.example/s3cret?key=s3cret"
    headers.Authorization = "s3cret"
    [[sinks]]
    type = "slack"
    url = "https://hooks.example/s3cret"
    [[sinks]]
    type = "nats"
    url = "nats://user:s3cret@nats.example:4222"
    token = "s3cret"
    """
    file.write_text(text)
    for flags in ([], ["--json"]):
        shown = CliRunner().invoke(command, ["show", "--config", str(file), *flags])
        assert shown.exit_code == 0
        assert "s3cret" not in shown.output
        assert "siem.example" in shown.output
    assert "s3cret" not in repr(load(file=file, environ={}).settings)
    broken = text.replace("https://", "ftp://s3cret").replace('"s3cret"', '"s3cret\\n"')
    sentences = wrong(broken, file)
    assert len(sentences) == 4
    assert "s3cret" not in str(sentences)


def test_references_are_shown_and_can_be_loaded(file: Path, monkeypatch: Any) -> None:
    """A file that keeps its secrets in the environment comes out of `config show` as it was."""
    file.write_text(WHOLE)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    shown = CliRunner().invoke(command, ["show", "--config", str(file)])
    assert "Bearer ${TOKEN}" in shown.output
    again = file.with_name("again.toml")
    again.write_text(shown.output)
    assert load(file=again, environ=ENVIRON) is not None
    settings = [load(file=f, environ=ENVIRON).settings for f in (file, again)]
    assert settings[0] == settings[1]


def test_what_was_hidden_is_not_a_value(file: Path) -> None:
    """A file that `config show` wrote does not pass with a hole where the secret was."""
    text = '[[sinks]]\ntype = "slack"\nurl = "https://hooks.example/(hidden)"\n'
    assert wrong(text, file) == [
        "sink 1 (slack) url: expected the value itself where `config show` wrote (hidden)"
    ]


def test_the_variable_holds_json() -> None:
    """A container needs no file."""
    sinks = [{"type": "stdout"}, {"type": "syslog", "address": "unix:///dev/log"}]
    loaded = load(environ={"ODDCALL_SINKS": json.dumps(sinks)})
    assert [sink.type for sink in loaded.settings.sinks] == ["stdout", "syslog"]
    with pytest.raises(SettingError, match=r"ODDCALL_SINKS\): expected \[\[sinks\]\] tables, or"):
        load(environ={"ODDCALL_SINKS": "stdout"})


def test_the_schema_has_every_type() -> None:
    """An editor that knows the schema knows the options of each sink."""
    shown = CliRunner().invoke(command, ["schema"])
    schema = json.loads(shown.output)
    types = schema["properties"]["sinks"]["items"]["discriminator"]["mapping"]
    assert set(types) == set(SECTIONS)
