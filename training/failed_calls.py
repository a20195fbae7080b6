"""What counts as a failed call: recordings say it, and models after them, as it has changed.

A connection that is begun without waiting returns ``EINPROGRESS``. Once that was counted as a
failure; recordings and models that say nothing of it are of that time. After that it was none but
where ``sendmmsg`` began the connection, and they say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

#: Key in the metadata of recordings and models.
NO_FAILURE = "no_failure"
#: What is counted as no failure, though it returns an error.
CONNECTING = "EINPROGRESS of connect, sendto, sendmsg, sendmmsg"
#: What was, for a while.
WITHOUT_SENDMMSG = "EINPROGRESS of connect, sendto, sendmsg"
#: Of recordings, or parts of one, of both meanings.
IN_PART = "in part"


def meaning(metadata: Mapping[str, str]) -> str:
    """Give what is no failure in a recording or model: ``CONNECTING``, ``IN_PART`` or nothing."""
    return metadata.get(NO_FAILURE, "")


def joined(metadata: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Give what metadata says of several together; nothing where all are of the former meaning."""
    found = {meaning(each) for each in metadata}
    one = found.pop() if len(found) == 1 else IN_PART
    return {NO_FAILURE: one} if one else {}
