"""The settings: built-in < TOML file < ``ODDCALL_*`` < flags, checked whole before use.

A setting ``section.name`` is ``[section] name`` in the file and ``ODDCALL_SECTION_NAME``
in the environment. Every wrong setting is told at once, with the place it came from.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from oddcall.models.durations import format_duration
from oddcall.models.errors import SettingError, reason
from oddcall.service.config.settings import Settings
from oddcall.service.kinds import Section
from oddcall.service.sinks.mistakes import mistake
from oddcall.service.sinks.secret import references

DEFAULT_FILE = Path("/etc/oddcall/oddcall.toml")
PREFIX = "ODDCALL_"
#: Names the file to read, so it is no setting of that file.
FILE_VARIABLE = "ODDCALL_CONFIG"
#: What else oddcall reads: where the public data sets are, and the recording of the notebooks.
_NO_SETTINGS = {FILE_VARIABLE, "ODDCALL_DATASETS", "ODDCALL_RECORDING"}
#: Letters that a mistyped name shares with what was meant, 0 to 1.
_ALIKE = 0.7
#: What works however wrong the settings are.
_VALID = "`oddcall config show --built-in` prints"
#: Settings that have a flag, and its name.
FLAGS: dict[str, str] = {
    "state_dir": "--state-dir",
    "budget": "--budget",
    "sensor.interval": "--interval",
    "sensor.loader": "--loader",
    "sensor.simulate_loss_percent": "--simulate-loss",
    "learning.duration": "--learn",
    "learning.min_windows": "--min-windows",
    "web.enabled": "--web/--no-web",
    "web.port": "--web-port",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each one that is not built in came from (by dotted name)."""

    settings: Settings
    origin: dict[str, str]


def load(
    flags: Mapping[str, object] | None = None,
    *,
    file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Loaded:
    """Lay the sources over each other and check the whole.

    Parameters
    ----------
    flags : dotted setting -> value as typed; None values are flags not given.
    file : TOML file; default ``$ODDCALL_CONFIG``, else the host's, if there is one.

    Raises
    ------
    SettingError
        One error that tells every setting that cannot be used.
    """
    wrong: list[str] = []
    values: dict[str, object] = {}
    origin: dict[str, str] = {}
    for name, value, source in _layers(flags or {}, file, environ, wrong):
        values[name], origin[name] = value, source
    try:
        settings = Settings.model_validate(_nested(values), context={"environ": environ})
    except ValidationError as error:
        wrong += [_sentence(problem, values, origin) for problem in error.errors()]
    else:
        wrong += _across(settings)
    if wrong:
        raise _told(sorted(wrong))
    return Loaded(settings, origin)


def setting_names(section: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Dotted name of every setting, in order."""
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from setting_names(inner, f"{prefix}{name}.")
        else:
            yield prefix + name


def variable(name: str) -> str:
    """Environment variable of a dotted setting."""
    return PREFIX + name.replace(".", "_").replace("-", "_").upper()


def _layers(
    flags: Mapping[str, object], file: Path | None, environ: Mapping[str, str], wrong: list[str]
) -> Iterator[tuple[str, object, str]]:
    path = file or (Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None)
    if path is None and DEFAULT_FILE.exists():
        path = DEFAULT_FILE
    written = {} if path is None else dict(_flat(_read_toml(path)))
    yield from ((name, value, str(path)) for name, value in written.items())
    by_variable = {variable(name): name for name in setting_names()}
    # ODDCALL_LEARN, for one: as the flag would be, were it a variable.
    by_flag = {variable(flag.strip("-")): variable(name) for name, flag in FLAGS.items()}
    given = {key: text for key, text in environ.items() if key.startswith(PREFIX)}
    others = _NO_SETTINGS | references([*written.values(), *given.values()])
    for key in sorted(given):
        if key in by_variable:
            yield by_variable[key], given[key], key
        elif key not in others:
            meant = by_flag.get(key)
            near = f" (did you mean {meant}?)" if meant else _nearest(key, list(by_variable))
            wrong.append(f"{key}: no such setting{near}")
    for name, value in flags.items():
        if value is not None:
            yield name, value, FLAGS[name]


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(
            f"the configuration {path} cannot be read",
            got=reason(error),
            fix="Name another file with --config, or make this one readable.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(
            f"the configuration {path} is not TOML",
            got=str(error),
            fix=f"Correct that line; {_VALID} a valid file.",
        ) from error


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _nested(values: Mapping[str, object]) -> dict[str, object]:
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *sections, last = name.split(".")
        place = tree
        for section in sections:
            inner = place.setdefault(section, {})
            place = inner if isinstance(inner, dict) else {}
        place[last] = value
    return tree


def _sentence(
    problem: Mapping[str, Any], values: Mapping[str, object], origin: Mapping[str, str]
) -> str:
    if problem["loc"][0] == "sinks":
        return mistake(problem, next(s for n, s in origin.items() if n.startswith("sinks")))
    name = ".".join(str(part) for part in problem["loc"])
    source = origin.get(name) or next((s for n, s in origin.items() if n.startswith(name)), "")
    place = f"{name} ({source})" if source else name
    if problem["type"] == "extra_forbidden":
        names = list(setting_names())
        tables = {other.partition(".")[0] for other in names}
        return f"{place}: no such setting{_nearest(name, [*names, *sorted(tables - {*names})])}"
    if problem["type"] in {"model_type", "model_attributes_type"}:
        return f"{place}: expected a table of settings, got {problem['input']!r}"
    allowed = str(problem["ctx"]["error"]) if "error" in problem.get("ctx", {}) else problem["msg"]
    return f"{place}: expected {allowed}, got {values.get(name, problem['input'])!r}"


def _across(settings: Settings) -> list[str]:
    """Rules between settings that are each fine alone."""
    wrong: list[str] = []
    sensor, web = settings.sensor, settings.web
    if sensor.max_age < sensor.interval:
        least, age = format_duration(sensor.interval), format_duration(sensor.max_age)
        wrong.append(f"sensor.max_age: expected no less than sensor.interval ({least}), got {age}")
    if web.enabled and not web.local and not web.guarded:
        wrong.append(
            f"web.token: expected a token, or a web.token_file, where web.host is {web.host}: "
            "others can reach that address"
        )
    return wrong


def _nearest(name: str, known: list[str]) -> str:
    """Say which was meant: what a setting is called tells more than the table it stands in."""

    def likeness(other: str) -> tuple[float, float]:
        called = (name.rpartition(".")[2], other.rpartition(".")[2])
        ratios = [difflib.SequenceMatcher(None, *pair).ratio() for pair in (called, (name, other))]
        return ratios[0], ratios[1]

    meant = max(known, key=likeness)
    if likeness(meant)[0] < _ALIKE:
        return ""
    above = ", above the first [table]" if "." in name and "." not in meant else ""
    return f" (did you mean {meant}{above}?)"


def _told(wrong: list[str]) -> SettingError:
    if len(wrong) == 1:
        return SettingError(wrong[0], fix=f"{_VALID} every setting.")
    listed = "".join(f"\n  {sentence}" for sentence in wrong)
    return SettingError(f"{len(wrong)} settings cannot be used:{listed}\n{_VALID} every setting")
