"""How plots of the notebooks look: quiet axes, room for labels, colours that print."""

from __future__ import annotations

#: Blue, orange, purple, green, magenta, grey; the first for what matters.
COLOURS = ("#00639b", "#d07000", "#6d4aa8", "#2f7d4f", "#a8326e", "#6f7478")
#: Of attacks and of what is clean.
ATTACK, CLEAN = "#c4302b", "#9fb2bf"


def looks() -> None:
    """Set matplotlib's defaults for this process.

    Raises
    ------
    ModuleNotFoundError
        Where matplotlib is not installed: ``pip install 'oddcall[notebooks]'``.
    """
    import matplotlib as mpl
    from cycler import cycler

    mpl.rcParams.update(
        {
            "figure.figsize": (8.5, 3.8),
            "figure.constrained_layout.use": True,
            "figure.dpi": 110,
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.prop_cycle": cycler(color=COLOURS),
            "grid.alpha": 0.25,
            "legend.frameon": False,
        }
    )
