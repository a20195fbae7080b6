"""Numeric arrays as ``.npy`` bytes, read without evaluating anything.

numpy's own reader evaluates the header as a Python literal. The headers written here have
one form, so a pattern reads them, and whatever else a file says is refused.
"""

from __future__ import annotations

import io
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    r"\{'descr': '([<|][biuf]\d)', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n"
)
_DTYPES = {"|b1", "|i1", "|u1", "<i2", "<u2", "<f2", "<i4", "<u4", "<f4", "<i8", "<u8", "<f8"}
_DIMENSIONS = 4


def to_npy(array: NDArray[Any]) -> bytes:
    """Write a boolean, integer or float array of up to four dimensions.

    Raises
    ------
    ValueError
        For any other kind: objects and strings have no place in a bundle's arrays.
    """
    plain = np.asarray(array, order="C")
    little = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    if little.dtype.str not in _DTYPES or little.ndim > _DIMENSIONS:
        raise ValueError(f"an array of {plain.dtype} with {plain.ndim} dimensions is not kept")
    out = io.BytesIO()
    np.lib.format.write_array(out, little, version=(1, 0), allow_pickle=False)
    return out.getvalue()


def from_npy(content: bytes) -> NDArray[Any]:
    """Read what :func:`to_npy` wrote.

    Raises
    ------
    ValueError
        When the content is of another form, kind or length.
    """
    start = len(_MAGIC) + 2
    if content[: len(_MAGIC)] != _MAGIC or len(content) < start:
        raise ValueError("no .npy array of version 1.0")
    end = start + int.from_bytes(content[len(_MAGIC) : start], "little")
    found = _HEADER.fullmatch(content[start:end].decode("latin-1"))
    if not found or found[1] not in _DTYPES:
        raise ValueError("an array header of another form: only plain numbers are read")
    dtype = np.dtype(found[1])
    shape = tuple(int(size) for size in found[2].split(",") if size.strip())
    if len(shape) > _DIMENSIONS or math.prod(shape) * dtype.itemsize != len(content) - end:
        raise ValueError(f"an array of another length than its shape {shape} says")
    array = np.frombuffer(content, dtype, offset=end) if math.prod(shape) else np.zeros(0, dtype)
    return array.reshape(shape).copy()
