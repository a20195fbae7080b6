// Programs and processes by how unlikely they are, how busy, or how they are called.

import { chance, h, keyed, put, rate } from "/static/dom.js";

const LEAST = 12;

const programs = [
  { name: "name", title: "Program", of: (p) => p.name.toLowerCase(), text: true },
  { name: "state", title: "State", of: (p) => p.state, text: true },
  { name: "p_worst", title: "p, 5 min", of: (p) => p.p_worst, hint: "least p-value of the last five minutes" },
  { name: "p_now", title: "p now", of: (p) => p.p_now, wide: true, hint: "p-value of the latest window" },
  { name: "calls_s", title: "calls/s", of: (p) => p.calls_s, most: true },
  { name: "errors_s", title: "errors/s", of: (p) => p.errors_s, most: true, wide: true },
];
const processes = [
  { name: "name", title: "Process", of: (p) => p.name.toLowerCase(), text: true },
  { name: "pid", title: "pid", of: (p) => p.pid },
  { name: "p", title: "p now", of: (p) => p.p, hint: "p-value of the latest window" },
  { name: "calls_s", title: "calls/s", of: (p) => p.calls_s, most: true },
  { name: "errors_s", title: "errors/s", of: (p) => p.errors_s, most: true, wide: true },
];

function compare(column, up) {
  const far = up ? Infinity : -Infinity;
  const value = (row) => column.of(row) ?? (column.text ? "" : far);
  return (a, b) => {
    const [x, y] = [value(a), value(b)];
    return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
  };
}

function cells(kind, row, item, threshold) {
  const cell = (name) => row.querySelector(`[data-cell="${name}"]`);
  const link = row.querySelector("a");
  link.setAttribute("href", `#/programs/${kind === "programs" ? item.id : item.program}`);
  put(link, kind === "processes" && item.comm && item.comm !== item.name ? `${item.label} (${item.comm})` : item.label);
  link.title = item.exe || item.name;
  const p = kind === "programs" ? item.p_worst : item.p;
  row.classList.toggle("odd", threshold !== null && p !== null && p <= threshold);
  if (kind === "programs") {
    const pill = cell("state").firstChild;
    pill.className = `pill ${item.state}`;
    pill.title = item.why;
    put(pill, item.state);
    const where = item.container || item.unit || "";
    put(row.querySelector(".place"), where && !item.label.includes(where) ? ` ${where}` : "");
    put(cell("p_worst"), chance(item.p_worst));
    put(cell("p_now"), chance(item.p_now));
  } else {
    put(cell("pid"), String(item.pid));
    put(cell("p"), chance(item.p));
  }
  put(cell("calls_s"), rate(item.calls_s));
  put(cell("errors_s"), rate(item.errors_s));
}

export function table() {
  let kind = "programs";
  let sorts = { programs: ["p_worst", true], processes: ["p", true] };
  let most = LEAST;
  let state = null;
  const find = h("input", { class: "find", type: "search", placeholder: "Find", "aria-label": "Find a program or process", oninput: () => draw() });
  const head = h("tr", {});
  const body = h("tbody", {});
  const more = h("button", { class: "quiet more", type: "button", onclick: () => { most = most === LEAST ? Infinity : LEAST; draw(); } });
  const empty = h("p", { class: "empty" });
  const tabs = h("span", { class: "tabs", role: "group", "aria-label": "What is listed" },
    ["programs", "processes"].map((name) => h("button", {
      type: "button", "aria-pressed": String(name === kind), "data-kind": name,
      onclick: () => {
        kind = name;
        for (const b of tabs.children) b.setAttribute("aria-pressed", String(b.dataset.kind === name));
        body.replaceChildren();
        heads();
        draw();
      },
    }, name === "programs" ? "Programs" : "Processes")));
  const columns = () => (kind === "programs" ? programs : processes);

  function heads() {
    head.replaceChildren(...columns().map((c) => h("th", {
      scope: "col", class: [c.text ? "" : "num", c.wide ? "wide" : ""].join(" ").trim() || null, "data-name": c.name, title: c.hint,
    }, h("button", { type: "button", onclick: () => { const [now, up] = sorts[kind]; sorts[kind] = [c.name, now === c.name ? !up : !c.most]; draw(); } }, c.title))));
  }

  function make() {
    return h("tr", {}, columns().map((c, i) => h("td", {
      class: [i === 0 ? "name" : c.text ? "" : "num", /^p/.test(c.name) && c.name !== "pid" ? "p" : "", c.wide ? "wide" : ""].join(" ").trim() || null,
      "data-cell": c.name,
    }, i === 0 ? [h("a", { class: "step" }), h("span", { class: "place" })] : c.name === "state" ? h("span", { class: "pill" }) : null)));
  }

  function draw() {
    if (!state) return;
    const [by, up] = sorts[kind];
    for (const th of head.children) {
      if (th.dataset.name === by) th.setAttribute("aria-sort", up ? "ascending" : "descending");
      else th.removeAttribute("aria-sort");
    }
    const word = find.value.trim().toLowerCase();
    const has = (item) => !word || [item.name, item.exe, item.comm, item.unit, item.container, item.state, item.pid].some((x) => String(x ?? "").toLowerCase().includes(word));
    const seen = kind === "programs" ? state.programs.filter((p) => word || p.seen) : state.processes;
    const found = seen.filter(has).sort(compare(columns().find((c) => c.name === by), up));
    const key = kind === "programs" ? (p) => p.id : (p) => `${p.pid} ${p.program}`;
    keyed(body, found.slice(0, most), key, make, (row, item) => cells(kind, row, item, state.budget.threshold));
    more.hidden = found.length <= LEAST;
    put(more, most === LEAST ? `Show all ${found.length}` : "Show fewer");
    empty.hidden = found.length > 0;
    put(empty, word ? `Nothing here is called ${word}.` : "Nothing was seen yet.");
  }

  heads();
  return {
    node: h("section", { class: "card" },
      h("header", {}, tabs, h("span", { class: "grow" }), find),
      h("div", { class: "scroll" }, h("table", {}, h("thead", {}, head), body)), empty, more),
    update(s) {
      state = s;
      draw();
    },
  };
}
