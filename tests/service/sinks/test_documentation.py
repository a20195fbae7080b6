"""Promises about the page on sinks: its examples load, and it names every option."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from oddcall.service.config.loading import load
from oddcall.service.formats import FORMATS
from oddcall.service.sinks.journald import fields
from oddcall.service.sinks.sections import SECTIONS, SinkSection
from oddcall.service.sinks.transport import Record

PAGE = (Path(__file__).parents[3] / "docs" / "sinks.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_load(example: str, tmp_path: Path) -> None:
    """What is pasted into a file works, once its variables are set."""
    file = tmp_path / "oddcall.toml"
    file.write_text(example)
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", example), "https://set.example/")
    assert load(file=file, environ=environ).settings.sinks


def test_every_option_is_there() -> None:
    """Each option of each type has a row, and no row is of an option that is gone."""
    for name, section in SECTIONS.items():
        own = section.model_fields.keys() - SinkSection.model_fields.keys() - {"type", "format"}
        part = PAGE.split(f"### `{name}`")[1].split("\n##")[0]
        assert set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)) == own
    common = PAGE.split("## What every sink can be told")[1].split("\n##")[0]
    rows = set(re.findall(r"^\| `(\w+)` \|", common, re.MULTILINE))
    assert rows == {*SinkSection.model_fields, "type", "format"}


def test_every_format_and_field_is_there(alert_of: Any) -> None:
    """So that somebody who searches the journal knows what for."""
    assert all(f"| `{name}` |" in PAGE for name in FORMATS)
    alert = alert_of(1)
    names = {name for name in fields(Record(alert, alert)) if name.startswith("ODDCALL_")}
    assert names <= set(re.findall(r"ODDCALL_\w+", PAGE))
