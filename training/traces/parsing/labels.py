"""What a label says of a trace: that it is normal, that it is of an attack, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

#: Words of what is normal, in small letters, without what is between words or at their end.
_CLEAN = frozenset(
    {
        *("0", "0.0", "false", "f", "no", "n", "ok", "safe", "good", "clean", "baseline"),
        *("normal", "benign", "legitimate", "legit", "nonmalicious", "nonattack"),
    }
)
#: What is written where there is no label, by pandas and JSON too.
_NO_LABEL = frozenset({"", "-", "nan", "na", "n/a", "<na>", "none", "null"})
#: What of two labels of one process decides: that of an attack, then that of what is normal.
_DECIDES = {None: 0, False: 1, True: 2}


@dataclass(frozen=True, slots=True)
class Labels:
    """How labels are taken.

    Attributes
    ----------
    normal : frozenset of str, default empty
        The words, in small letters, of what is normal, if they were named: every other label is
        of an attack then.
    """

    normal: frozenset[str] = frozenset()

    @classmethod
    def of(cls, normal: Iterable[str] = ()) -> Labels:
        """Take these words, in whatever letters, for what is normal; the usual ones for none."""
        return cls(frozenset(word.strip().lower() for word in normal))

    def is_attack(self, label: str) -> bool | None:
        """Tell what a label, in small letters, is taken for; None where it is none."""
        if label in self.normal:
            return False
        if label in _NO_LABEL:
            return None
        return bool(self.normal) or _plain(label) not in _CLEAN

    def deciding(self, label: str, other: str) -> str:
        """Give that of two labels of one process which decides; the first where both are alike."""
        outweighs = _DECIDES[self.is_attack(other)] > _DECIDES[self.is_attack(label)]
        return other if outweighs or not label else label

    def are_meant(self, name: str, labels: Iterable[str]) -> bool:
        """Whether a column of that name, which may be of something else, holds labels.

        It does where one of them is of what is normal. A number will not do under the name
        ``type``: kinds of anything are numbered.
        """
        clean = {label for label in labels if self.is_attack(label) is False}
        return any(name != "type" or label in self.normal or label.isalpha() for label in clean)


@cache
def _plain(label: str) -> str:
    """Write ``"non-malicious"`` and ``"normal."`` as the words of what is normal are."""
    return re.sub(r"(?<=[a-z])[\s_-]+(?=[a-z])", "", label).rstrip(".")


def label_fix() -> str:
    """Say which columns are of labels, and which words are of what is normal."""
    return (
        "Labels are read from a column named label, class, attack_cat, attack_type, is_malicious,"
        " anomaly, target, type or y. Normal are 0, false, no, normal, benign, clean, ok, safe,"
        " good, baseline and legitimate, or the words that --normal-label names."
    )
