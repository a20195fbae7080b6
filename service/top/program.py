"""One program on a screen of its own: its normal, laid beside what it did lately."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Static

from oddcall.models.errors import OddcallError
from oddcall.service.naming import fitted
from oddcall.service.top import wording
from oddcall.service.top.client import Client

Json = dict[str, Any]

COLOUR = {
    "ready": "green",
    "drifting": "yellow",
    "stale": "yellow",
    "forgotten": "yellow",
    "learning": "blue",
    "collecting": "dim",
    "unknown": "dim",
}
_EVERY_S = 1.0
_COLUMNS = (("call", 20), ("typical ▒, lately ●", 29), ("lately", 7), ("5 to 95 %", 14))


class ProgramScreen(Screen[None]):
    """One program: what is normal for it beside what it did lately, and its alerts."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "back", key_display="Esc"),
        Binding("q", "app.quit", "quit"),
    ]

    def __init__(self, client: Client, key: str) -> None:
        super().__init__()
        self._client, self._key = client, key

    def compose(self) -> ComposeResult:
        """Lay out how it stands, the table of its calls, and its alerts."""
        yield Static(id="headline", classes="line", markup=False)
        yield Static(id="exe", classes="line", markup=False)
        yield Static(id="why", markup=False)
        yield DataTable(id="normal", cursor_type="row")
        yield Static(id="episodes", markup=False)
        yield Footer(show_command_palette=False)

    async def on_mount(self) -> None:
        """Ask at once, and then every second."""
        table = self.query_one(DataTable)
        for title, width in (
            ("call", 20),
            ("typical ▒, lately ●", 29),
            ("lately", 7),
            ("5 to 95 %", 14),
        ):
            right = width < 20
            table.add_column(Text(title, justify="right" if right else "left"), width=width)
        table.focus()
        await self.look()
        self.set_interval(_EVERY_S, self.look)

    async def look(self) -> None:
        """Ask for the program and show it."""
        try:
            page = await asyncio.to_thread(self._client.program, self._key)
        except OddcallError as error:
            self.query_one("#why", Static).update(str(error))
            return
        if not self.is_attached:
            return
        if page is None:
            self.query_one("#why", Static).update("The program is no longer known here.")
            return
        head = Text(fitted(page["label"], 40) + "  ")
        head.append(page["state"], COLOUR.get(page["state"], ""))
        self.query_one("#headline", Static).update(head)
        place = [page["exe"], page["unit"], page["container"]]
        self.query_one("#exe", Static).update(wording.cut("  ".join(filter(None, place)), 78))
        baseline = page["baseline"]
        learned = wording.learned_over(baseline) if baseline else "nothing is known of its normal"
        self.query_one("#why", Static).update(f"{wording.told_of(page)}\n{learned}")
        self._normal(baseline["calls"] if baseline else [])
        self._episodes(page["episodes"])

    def _normal(self, calls: list[Json]) -> None:
        table = self.query_one(DataTable)
        place = table.cursor_row
        table.clear()
        full = max([0.02, *(max(call["typical"]["q95"], call["lately"] or 0) for call in calls)])
        for call in calls:
            lately, typical = call["lately"], call["typical"]
            out = lately is not None and not typical["q05"] <= lately <= typical["q95"]
            usual = f"{wording.share(typical['q05'])} to {wording.share(typical['q95'])}"
            drawn = Text(wording.bar(lately, typical, full, 29), "yellow" if out else "")
            table.add_row(
                Text(wording.cut(call["call"], 20)),
                Text(drawn.plain, "bold red") if call["never"] and lately else drawn,
                Text(wording.share(lately), justify="right"),
                Text("never", "red", justify="right")
                if call["never"]
                else Text(usual, justify="right"),
            )
        table.move_cursor(row=place, scroll=False)

    def _episodes(self, episodes: list[Json]) -> None:
        lines = [
            f"{episode['last'][11:19]} UTC  {episode['severity'].upper()}  "
            f"{wording.cut(wording.episode(episode), 200)}"
            for episode in episodes[:2]
        ]
        self.query_one("#episodes", Static).update("\n".join(lines) or "no alert of it is kept")
