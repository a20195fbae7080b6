"""What a program is: its binary and its place, whatever is counted anew at every mount."""

from __future__ import annotations

import os
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.model import Model
from oddcall.models.window import Program
from oddcall.training.fit import fit
from oddcall.training.synthetic import REDIS, window


@given(st.integers(0, 2**12 - 1), st.integers(0, 2**20 - 1))
def test_a_device_without_a_major_number_is_left_out(major: int, minor: int):
    """The kernel gives such a minor number to whatever is mounted next; other devices count."""
    device = os.makedev(major, minor)
    program = Program("/usr/bin/x", device, 7)
    assert program.dev == (device if major else 0)
    assert Program(**asdict(program)) == program


def test_another_inode_or_disk_is_another_program():
    """Two overlays of one file are one program; another file, or the same number elsewhere, not."""
    disk, other = os.makedev(8, 1), os.makedev(8, 2)
    assert Program("/x", os.makedev(0, 41), 7) == Program("/x", os.makedev(0, 42), 7)
    assert len({Program("/x", disk, 7), Program("/x", other, 7), Program("/x", disk, 8)}) == 3


def test_what_is_no_number_is_no_device():
    """A document that says anything else is refused where it is read."""
    with pytest.raises(TypeError):
        Program(exe="/x", dev="8")


def test_a_model_of_two_mounts_judges_by_the_settled_one():
    """A model that was made when mounts counted holds a program twice: its baseline stands."""
    random = np.random.default_rng(0)
    model = fit([window(REDIS, REDIS.walk(300, random), second=i) for i in range(60)])
    manifest, arrays = model.state()
    (known,) = manifest["programs"]
    known["program"]["dev"] = os.makedev(0, 41)
    barely = {
        **known, "program": {**known["program"], "dev": os.makedev(0, 42)}, "windows": 1,
        "readiness": "learning", "last_ns": known["last_ns"] + 1,
    }  # fmt: skip
    both = Model.from_state({**manifest, "programs": [known, barely]}, arrays)
    here = replace(REDIS.program, dev=os.makedev(0, 43))
    assert both.standing(here).ready
    assert both.standing(here).level == "program"
