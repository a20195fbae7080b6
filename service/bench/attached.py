"""What is attached already: figures taken beside another program are not those of an idle host."""

from __future__ import annotations

from oddcall.sensor.loaded import programs

#: Kinds of program that run at tracepoints and functions (``enum bpf_prog_type``).
_TRACING = {2, 5, 17, 26}  # kprobe, tracepoint, raw tracepoint, tracing


def others() -> list[str]:
    """Names of tracing programs that the kernel holds, sorted."""
    return sorted(program.name for program in programs() if program.type in _TRACING)
