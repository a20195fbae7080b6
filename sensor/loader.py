"""What both loaders do: size the maps, attach the hooks, and end cleanly."""

from __future__ import annotations

from typing import ClassVar, Protocol

#: Function of the program for each raw tracepoint. Life comes first: a process that is
#: counted must not be able to end unseen.
HOOKS = {
    "sched_process_fork": "on_fork",
    "sched_process_exec": "on_exec",
    "sched_process_exit": "on_exit",
    "sys_exit": "on_sys_exit",
}
#: The function that runs at every call.
HOT_HOOK = "on_sys_exit"
#: The function for whichever tracepoint tells of io_uring submissions.
URING_HOOK = "on_uring"
#: Maps that user space reads or fills.
MAPS = ("heads", "counts", "touched", "epoch", "tally", "free_slots")
#: Words of the table of threads: threads whose ids are equal modulo this displace each other.
THREADS = 65536


class Loader(Protocol):
    """Puts the program into the kernel, one way or another."""

    name: ClassVar[str]

    def load(self, slots: int, uring_tracepoint: str) -> None:
        """Make the maps, of that many slots, and have the kernel accept the program.

        Raises
        ------
        KernelError
            If what this loader needs is missing, or the kernel refuses.
        """

    def attach(self, tracepoint: str, function: str) -> None:
        """Run one function of the program at a raw tracepoint from now on."""

    def map_fd(self, name: str) -> int:
        """Descriptor of a map."""

    def close(self) -> None:
        """Detach and unload. Safe to call twice, and after a load that failed."""
