"""What an answer of ``tolerate`` is about, in words: the terminal and the page say the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from oddcall.models import calls
from oddcall.models.tolerance import Behaviour
from oddcall.models.window import BLOCKS
from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.past import telling
from oddcall.service.alerts.text import clean
from oddcall.service.quantities import counted

#: Sentences of one alert that are repeated.
_SENTENCES = 6


def told(lines: Sequence[Alert], behaviours: Iterable[Behaviour]) -> list[str]:
    """Say what becomes normal with an alert, so that nothing does under the words of another.

    Parameters
    ----------
    lines : all of one episode, oldest first; none gives nothing.
    behaviours : what its programs did, as ``History.behaviours`` gives it.

    Returns
    -------
    The sentence of each kind of behaviour, of updates too where they name what none before did;
    last the calls, new or in such numbers, that none of these names. Safe to print.
    """
    if not lines:
        return []
    unsaid = _calls(lines, behaviours)
    kinds = {line["id"] for line in telling(lines)}
    found = []
    for line in lines:
        sentence = clean(line["explanation"]["sentence"])
        if line["id"] in kinds or unsaid & _words(sentence):
            found.append(sentence)
            if len(found) <= _SENTENCES:
                unsaid -= _words(sentence)
    if (more := len(found) - _SENTENCES) > 0:
        found[_SENTENCES:] = [f"and {counted(more, 'other sentence')}"]
    return [*found, f"also, not said above: {', '.join(sorted(unsaid))}"] if unsaid else found


def unnamed(text: str, lines: Sequence[Alert], behaviours: Iterable[Behaviour]) -> list[str]:
    """Give the calls that become normal with an alert and that a text about it does not name.

    Parameters
    ----------
    text : what was shown of the alert.
    lines, behaviours : as `told` takes them.
    """
    return sorted(_calls(lines, behaviours) - _words(text))


def _calls(lines: Sequence[Alert], behaviours: Iterable[Behaviour]) -> set[str]:
    """Name the calls that are tolerated, as new or in such numbers."""
    arch = lines[0].get("host", {}).get("arch") or "x86_64"
    columns = {int(column) for behaviour in behaviours for column in behaviour.novel}
    return {calls.name(column, arch) for column in columns if column < BLOCKS["syscalls"]}


def _words(sentence: str) -> set[str]:
    return set(re.findall(r"\w+", sentence))
