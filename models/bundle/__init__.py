"""Model bundles (``*.oddcall``): a model in a file that never runs code."""

from __future__ import annotations

from oddcall.models.bundle.bundle import load_bundle, save_bundle

__all__ = ["load_bundle", "save_bundle"]
