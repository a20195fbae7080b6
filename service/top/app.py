"""The terminal view: programs or processes in a table, one program's normal on a screen."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Footer, Input, Static

from oddcall.models.errors import OddcallError
from oddcall.service.naming import fitted
from oddcall.service.top import wording
from oddcall.service.top.client import Client
from oddcall.service.top.program import COLOUR, ProgramScreen

Json = dict[str, Any]

_EVERY_S = 1.0
#: (title, width, key) of each column; with padding and a scroll bar they take 80 columns.
_PROGRAMS = (
    ("program", 24, "name"),
    ("state", 10, "state"),
    ("p, 5 min", 8, "p_worst"),
    ("p now", 8, "p_now"),
    ("calls/s", 8, "calls_s"),
    ("errors/s", 8, "errors_s"),
)
_PROCESSES = (
    ("process", 28, "name"),
    ("pid", 8, "pid"),
    ("user", 6, "uid"),
    ("p now", 8, "p"),
    ("calls/s", 8, "calls_s"),
    ("errors/s", 8, "errors_s"),
)
_SORTS = {
    "programs": ("p_worst", "calls_s", "errors_s", "name"),
    "processes": ("p", "calls_s", "errors_s", "name"),
}
_SORTED_BY = {
    "p_worst": "the least likely first",
    "p": "the least likely first",
    "calls_s": "the busiest first",
    "errors_s": "the most errors first",
    "name": "by name",
}


class Top(App[None]):
    """Shows a running watch until it is quit.

    Parameters
    ----------
    client : Client
    """

    CSS = """
    Screen { background: $background; }
    .line { height: 1; padding: 0 1; }
    #headline { text-style: bold; }
    #gone { background: $error; color: $text; display: none; }
    #list { height: 1fr; }
    #find { display: none; border: none; height: 1; padding: 0 1; background: $surface; }
    #why { height: auto; padding: 0 1; margin-bottom: 1; }
    #normal { height: 1fr; }
    #episodes { height: auto; max-height: 6; padding: 0 1; margin-top: 1; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "kind('programs')", "programs"),
        Binding("o", "kind('processes')", "processes"),
        Binding("s", "sort", "sort"),
        Binding("slash", "find", "find", key_display="/"),
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client
        self._kind = "programs"
        self._sort = dict.fromkeys(_SORTS, 0)
        self._word = ""
        #: What is shown; None before the first answer.
        self.shown: Json | None = None

    def compose(self) -> ComposeResult:
        """Lay the lines, the table and the keys out."""
        yield Static(id="headline", classes="line", markup=False)
        yield Static(id="budget", classes="line", markup=False)
        yield Static(id="coverage", classes="line", markup=False)
        yield Static(id="gone", classes="line", markup=False)
        yield Static(id="sorted", classes="line", markup=False)
        yield DataTable(id="list", cursor_type="row", zebra_stripes=False)
        yield Input(id="find", placeholder="find, then Enter; Esc shows all", compact=True)
        yield Footer(show_command_palette=False)

    async def on_mount(self) -> None:
        """Ask at once, and then every second."""
        self._columns()
        self.query_one("#list").focus()
        await self.look()
        self.set_interval(_EVERY_S, self.look)

    async def look(self) -> None:
        """Ask how things stand and show it; what is shown stays while there is no answer."""
        if not self.is_running:
            return
        gone = self.screen_stack[0].query_one("#gone", Static)
        try:
            self.shown = await asyncio.to_thread(self._client.state)
        except OddcallError as error:
            if not self.is_running:
                return
            gone.update(f"{error} Trying again; this is how it stood.")
            gone.display = True
            return
        if self.is_running:  # it may have been quit meanwhile
            gone.display = False
            self._show(self.shown)

    def action_kind(self, kind: str) -> None:
        """List programs or processes."""
        self._kind = kind
        self._columns()
        self._again()

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._sort[self._kind] = (self._sort[self._kind] + 1) % len(_SORTS[self._kind])
        self._again()

    def action_find(self) -> None:
        """Ask for a word."""
        find = self.query_one("#find", Input)
        find.display = True
        find.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what has the word."""
        self._word = event.value.strip().lower()
        self._again()

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        """Go on with what was found."""
        self._end_find()

    def on_key(self, event: Any) -> None:  # noqa: ANN401  textual's event
        """Esc ends finding, and shows all."""
        find = self.query_one("#find", Input) if self.screen is self.screen_stack[0] else None
        if event.key == "escape" and find is not None and (find.display or self._word):
            find.value = ""
            self._end_find()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Open the program of a row."""
        key = str(event.row_key.value).split()[0]
        self.push_screen(ProgramScreen(self._client, key))

    def _end_find(self) -> None:
        self.query_one("#find", Input).display = False
        self.query_one("#list").focus()

    def _again(self) -> None:
        if self.shown:
            self._show(self.shown)

    def _columns(self) -> None:
        table = self.screen_stack[0].query_one("#list", DataTable)
        table.clear(columns=True)
        for title, width, key in _PROGRAMS if self._kind == "programs" else _PROCESSES:
            text = Text(title, justify="left" if key in {"name", "state"} else "right")
            table.add_column(text, width=width, key=key)

    def _show(self, state: Json) -> None:
        base = self.screen_stack[0]
        for name in ("headline", "budget", "coverage"):
            base.query_one(f"#{name}", Static).update(getattr(wording, name)(state))
        by = _SORTS[self._kind][self._sort[self._kind]]
        rows = self._rows(state, by)
        found = f", with “{self._word}”" if self._word else ""
        counted = f"{len(rows)} {self._kind}"
        if self._kind == "processes":
            # Not all are given, and many have ended: it is no count of those that run.
            counted = (
                f"{len(rows)} of {state.get('processes_lately', len(rows)):,} processes lately"
            )
        base.query_one("#sorted", Static).update(
            f"{counted}, {_SORTED_BY[by]}{found}; Enter opens one"
        )
        table = base.query_one("#list", DataTable)
        place = table.cursor_row
        kept = table.scroll_y
        table.clear()
        for key, cells in rows:
            table.add_row(*cells, key=key)
        table.move_cursor(row=place, scroll=False)
        table.scroll_to(y=kept, animate=False)

    def _rows(self, state: Json, by: str) -> list[tuple[str, list[Text]]]:
        threshold = state["budget"]["threshold"]
        if self._kind == "programs":
            listed = [program for program in state["programs"] if program["seen"] or self._word]
        else:
            listed = state["processes"]
        found = [entry for entry in listed if self._has(entry)]
        found.sort(key=lambda entry: _order(entry, by))
        if self._kind == "programs":
            return [(entry["id"], _program(entry, threshold)) for entry in found]
        return [
            (f"{entry['program']} {entry['pid']} {i}", _process(entry, threshold))
            for i, entry in enumerate(found)
        ]

    def _has(self, entry: Json) -> bool:
        looked = [
            entry.get(k) for k in ("name", "exe", "comm", "unit", "container", "state", "pid")
        ]
        return any(self._word in str(value or "").lower() for value in looked)


def _order(entry: Json, by: str) -> tuple[bool, Any]:
    value = entry[by]
    if value is None:
        return True, 0
    return False, value.lower() if by == "name" else value if by in {"p", "p_worst"} else -value


def _right(text: str, style: str = "") -> Text:
    return Text(text, style, justify="right")


def _odd(p: float | None, threshold: float | None) -> str:
    return "bold red" if p is not None and threshold is not None and p <= threshold else ""


def _program(entry: Json, threshold: float | None) -> list[Text]:
    return [
        Text(fitted(entry["label"], 24), _odd(entry["p_worst"], threshold)),
        Text(entry["state"], COLOUR.get(entry["state"], "")),
        _right(wording.chance(entry["p_worst"]), _odd(entry["p_worst"], threshold)),
        _right(wording.chance(entry["p_now"]), _odd(entry["p_now"], threshold)),
        _right(wording.rate(entry["calls_s"])),
        _right(wording.rate(entry["errors_s"])),
    ]


def _process(entry: Json, threshold: float | None) -> list[Text]:
    own = "" if entry["comm"] in {"", entry["name"]} else f" ({entry['comm']})"
    return [
        Text(fitted(f"{entry['label']}{own}", 28), _odd(entry["p"], threshold)),
        _right(str(entry["pid"])),
        _right(str(entry["uid"])),
        _right(wording.chance(entry["p"]), _odd(entry["p"], threshold)),
        _right(wording.rate(entry["calls_s"])),
        _right(wording.rate(entry["errors_s"])),
    ]
