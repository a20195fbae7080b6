#!/usr/bin/env python3
"""What other ways of counting a call would cost: each a small change of the program's text.

Usage: sudo .venv/bin/python benchmarks/variants.py [--rounds 5]

Every variant is compiled ahead of time as the loader `core` has it, attached whole, and measured
as `oddcall bench sensor` does. They are for measuring only: most of them count wrongly somewhere
(a cache of one thread a processor loses a thread that moves; see docs/cost.md). Needs clang.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from oddcall.sensor import bytecode, loader_core
from oddcall.sensor.loader_core import CoreLoader
from oddcall.sensor.probe import Probe, ProbeSettings
from oddcall.service.bench.contender import FLOOR, Contender, own
from oddcall.service.bench.rounds import MEASURES, measured, run

ROOT = Path(__file__).resolve().parent.parent
WORD = "u64 *kept = word_at(tid);\n\tif (!kept)\n\t\treturn 0;\n\tu64 word"
KEPT = "\tif (!kept)\n\t\treturn 0;\n\tu64 word"
LOCKLESS = "\telse\n\t\t*counter += 1;"
#: mov r0, 0; exit
NOTHING = bytes.fromhex("b7000000000000009500000000000000")


def map_of(kind: str, name: str, rest: str) -> str:
    """Write a map's definition."""
    return f'struct {{ __uint(type, BPF_MAP_TYPE_{kind}); {rest} }} {name} SEC(".maps");\n'


HASHED = map_of(
    "HASH", "by_thread", "__uint(max_entries, 65536); __type(key, u32); __type(value, u64);"
)
HASHED += """
static inline u64 *hashed(u32 tid)
{
	u64 none = 0, *kept = bpf_map_lookup_elem(&by_thread, &tid);
	if (kept)
		return kept;
	bpf_map_update_elem(&by_thread, &tid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&by_thread, &tid);
}
"""
#: Its last argument is BPF_LOCAL_STORAGE_GET_F_CREATE.
STORAGE = "bpf_task_storage_get"
STORED = map_of(
    "TASK_STORAGE",
    "by_task",
    "__uint(map_flags, BPF_F_NO_PREALLOC); __type(key, int); __type(value, u64);",
)
CACHE = "struct cached { u64 tid, word; };\n" + map_of(
    "PERCPU_ARRAY",
    "cache",
    "__uint(max_entries, 1); __type(key, u32); __type(value, struct cached);",
)
CACHED = """u32 zero = 0;
	struct cached *near = bpf_map_lookup_elem(&cache, &zero);
	if (!near)
		return 0;
	if (near->tid != tid) {
		u64 *far = hashed(near->tid);
		if (far)
			*far = near->word;
		far = hashed(tid);
		near->word = far ? *far : 0;
		near->tid = tid;
	}
	u64 *kept = &near->word;
"""
RAW = """
#define oddcall_args bpf_raw_tracepoint_args
#undef HOT_HOOK
#undef this_task
#undef ids_of
#undef compat_of
#undef number_of
#define HOT_HOOK(name, tracepoint) SEC("raw_tp/" tracepoint) int name(struct oddcall_args *ctx)
#define task_t u64
#define this_task() bpf_get_current_task()
#define ids_of(task) bpf_get_current_pid_tgid()
#define compat_of(task) field32((task) + OFF_TASK_COMPAT)
#define number_of(regs) field32((regs) + bpf_core_field_offset(struct pt_regs, orig_ax))
"""
SLOT = "slot = (word >> 22) & 0xfffff;"
TOUCHED = "\t\tadd(&c->transitions[bucket(previous, symbol)], shared);\n\ttouch(slot);"


@dataclass(frozen=True)
class Variant:
    """A name for people, and what stands in the text in place of what."""

    label: str
    changes: tuple[tuple[str, str, str], ...] = ()


C, H = "oddcall.c", "core.h"
FIRST = "/* --- Helpers"
VARIANTS = (
    Variant("as it is"),
    Variant("raw tracepoint, fields by probe reads", ((C, FIRST, RAW + FIRST),)),
    Variant(
        "thread's word in a hash by thread",
        ((C, FIRST, HASHED + FIRST), (C, WORD, f"u64 *kept = hashed(tid);\n{KEPT}")),
    ),
    Variant(
        "the same behind a cache a processor",
        ((C, FIRST, HASHED + CACHE + FIRST), (C, WORD, CACHED + KEPT)),
    ),
    Variant(
        "thread's word in task storage",
        (
            (C, FIRST, STORED + FIRST),
            (C, WORD, f"u64 *kept = {STORAGE}(&by_task, current, 0, 1);\n{KEPT}"),
        ),
    ),
    Variant(
        "slot looked up by process at each call",
        ((C, SLOT, "u32 *at_once = slot_known(tgid);\n\t\tslot = at_once ? *at_once : 0;"),),
    ),
    Variant(
        "every add with a lock",
        ((C, LOCKLESS, "\telse\n\t\t__sync_fetch_and_add(counter, 1);"),),
    ),
    Variant("no note of what counted", ((C, TOUCHED, TOUCHED.rsplit("\n", 1)[0]),)),
)


def build(variant: Variant, folder: Path) -> Path:
    """Compile it; gives the folder that takes the place of the package's."""
    place = folder / variant.label.replace(" ", "-").replace("'", "")
    for name in ("bpf", "scripts"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("*.o"))
    for file, old, new in variant.changes:
        path = place / "bpf" / file
        text = path.read_text()
        if text.count(old) != 1:
            sys.exit(f"{variant.label}: {old!r} is {text.count(old)} times in {file}")
        path.write_text(text.replace(old, new))
    done = subprocess.run(
        [place / "scripts/core", os.uname().machine], check=False, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{variant.label} does not compile:\n{done.stderr}")
    return place / "bpf"


def attached(bpf: Path, *, both: bool = False) -> Callable[[], AbstractContextManager[None]]:
    """Give what attaches the object in that folder, and an empty hook where calls begin."""

    @contextmanager
    def attach() -> Iterator[None]:
        before = loader_core.resources.files
        loader_core.resources.files = lambda _package: bpf
        entry = bytecode.load("oddcall_entry", NOTHING) if both else -1
        link = bytecode.attach(entry, "sys_enter") if both else -1
        try:
            with Probe(ProbeSettings(loader="core"), {"core": CoreLoader}):
                yield
        finally:
            loader_core.resources.files = before
            for descriptor in (link, entry):
                if descriptor >= 0:
                    os.close(descriptor)

    return attach


def main() -> None:
    """Print a row for each variant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    for figure in ("ns_64_threads", "ns_fork"):
        del MEASURES[figure]
    floor = next(row for row in own() if row.name == FLOOR)
    with TemporaryDirectory() as folder, measured() as children:
        built = {variant.label: build(variant, Path(folder)) for variant in VARIANTS}
        rows = [floor, *(Contender(label, label, attached(bpf)) for label, bpf in built.items())]
        label = "an empty hook where calls begin, too"
        rows.append(Contender(label, label, attached(built["as it is"], both=True)))
        results = run(
            rows,
            children,
            given.rounds,
            lambda label, done: print(f"\r{done:4.0%} {label:<40}", end="", file=sys.stderr),
        )
    print(f"\r{'added to a call, ns':<42}{'one thread':>12}{'of floor':>10}{'2 threads':>12}")
    for row in rows:
        if row.name in results.absent:
            print(f"{row.label:<42}  absent: {results.absent[row.name]}")
            continue
        one, two = (np.median(results.column(row.name, f)) for f in ("ns", "ns_2_threads"))
        ratio = np.median(results.ratios(row.name))
        print(f"{row.label:<42}{one:>12.1f}{ratio:>10.2f}{two:>12.1f}")


if __name__ == "__main__":
    main()
