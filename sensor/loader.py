"""What both loaders do: size the maps, attach the hooks, and end cleanly."""

from __future__ import annotations

from typing import ClassVar, Protocol

#: Function of the program for each raw tracepoint, in the order in which they are attached:
#: a process that takes a slot must not be able to end unseen.
HOOKS = {
    "sched_process_exit": "on_exit",
    "sched_process_exec": "on_exec",
    "sched_process_fork": "on_fork",
    "sys_exit": "on_sys_exit",
}
#: The function that runs at every call.
HOT_HOOK = "on_sys_exit"
#: The function for whichever tracepoint tells of io_uring submissions.
URING_HOOK = "on_uring"
#: Maps that user space reads or fills; the last one only to be checked.
MAPS = ("heads", "counts", "touched", "control", "tally", "free_slots", "slot_of")


class Loader(Protocol):
    """Puts the program into the kernel, one way or another."""

    name: ClassVar[str]

    def load(self, slots: int, threads: int, uring_tracepoint: str) -> None:
        """Make the maps, of that many slots and words, and have the kernel accept the program.

        The number of words is a power of two: threads whose ids are equal modulo it displace
        each other.

        Raises
        ------
        KernelError
            If what this loader needs is missing, or the kernel refuses.
        """

    def attach(self, tracepoint: str, function: str) -> None:
        """Run one function of the program at a raw tracepoint from now on."""

    def map_fd(self, name: str) -> int:
        """Descriptor of a map."""

    def program_fd(self, function: str) -> int:
        """Descriptor of a function of the program."""

    def close(self) -> None:
        """Detach and unload. Safe to call twice, and after a load that failed."""
