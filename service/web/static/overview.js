// The host at a glance.

import { ask } from "/static/api.js";
import { timeline } from "/static/chart.js";
import { bytes, count, h, meter, put, some, span } from "/static/dom.js";
import { episodeList } from "/static/episodes.js";
import { table } from "/static/table.js";

const ORDER = ["ready", "drifting", "stale", "learning", "collecting", "forgotten", "unknown"];

function tile(title) {
  const big = h("p", { class: "big" });
  const bar = h("div", {});
  const sub = h("p", { class: "sub" });
  return {
    node: h("section", { class: "card tile" }, h("h2", {}, title), big, bar, sub),
    show(text, parts, label, more, bad) {
      put(big, text);
      big.classList.toggle("bad", Boolean(bad));
      bar.replaceChildren(meter(parts, label));
      put(sub, more);
    },
  };
}

function states(programs) {
  const found = {};
  for (const p of programs) found[p.state] = (found[p.state] || 0) + 1;
  return ORDER.filter((state) => found[state]).map((state) => [state, found[state]]);
}

function standing(t, s) {
  const found = states(s.programs);
  const words = found.map(([state, n]) => `${n} ${state}`).join(", ");
  if (s.learning) {
    const training = s.phase === "training";
    return t.show(training ? "Training" : `Learning, ${Math.round(100 * s.learning.done)} %`,
      [[s.learning.done, "fill-learning"]], "part of learning that is done",
      training ? s.learning.line : `${span(s.learning.remaining_s)} more; ${count(s.learning.windows)} windows of ${some(s.programs.length, "program")}`);
  }
  const big = { watching: "Watching", stopped: "Stopped", starting: "Starting" }[s.phase] || s.phase;
  t.show(big, found.map(([state, n]) => [n / s.programs.length, `fill-${state}`]), words,
    words ? `${some(s.programs.length, "program")}: ${words}` : "no program was seen yet");
}

function budget(t, s) {
  if (s.budget.per_day === null) return t.show("–", [], "", "a budget holds once the host is learned");
  const used = s.budget.used_today;
  const most = s.budget.per_day;
  t.show(`${some(used, "alert")} today`, [[Math.min(1, used / Math.max(most, used, 1e-9)), used > most ? "fill-odd" : "fill-calm"]],
    `${used} today, of a budget of ${s.budget.said}`,
    `the budget is ${s.budget.said}`
    + (s.budget.unsent ? `; ${count(s.budget.unsent)} since the start not sent, as too many came within an hour` : ""));
}

function coverage(t, s) {
  const c = s.coverage;
  const kinds = Object.entries(c.lost).filter(([, n]) => n).map(([kind, n]) => `${count(n)} ${kind}`);
  t.show(c.lost_total ? `${count(c.lost_total)} lost` : "Nothing lost", [[c.tracked / c.capacity, "fill-calm"]],
    `${c.tracked} of ${c.capacity} places for processes are taken`,
    (kinds.length ? `${kinds.join(", ")}; ` : "") + `${count(c.tracked)} of ${count(c.capacity)} processes, ticks ${Math.round(1000 * c.late_s)} ms late`, c.lost_total > 0);
}

function cost(t, s) {
  const c = s.cost;
  const percent = (x) => `${(100 * x).toFixed(x < 0.1 ? 1 : 0)} %`;
  t.show(`${percent(c.cpu_share)} of a core`, [[Math.min(1, c.cpu_share / 0.05), "fill-calm"]], "share of one processor, of 5 % allowed",
    `${bytes(c.rss_bytes)} of memory` + (c.kernel_share === null ? "" : `; ${percent(c.kernel_share)} in the kernel`));
}

export function overview() {
  const tiles = [tile("State"), tile("Budget"), tile("Coverage"), tile("Own cost, last minute")];
  const line = timeline("How unlikely the oddest window of each moment was, and calls a second");
  const list = episodeList("No alert yet. That is how it should be.");
  const grid = table();
  const all = h("a", { href: "#/alerts", class: "small soft" }, "all alerts");
  let chosen = sessionStorage.getItem("span") || "10m";
  let asked = 0;

  const tabs = h("span", { class: "tabs", role: "group", "aria-label": "Span" },
    [["10m", "10 min"], ["2h", "2 h"], ["24h", "24 h"]].map(([name, text]) => h("button", {
      type: "button", "aria-pressed": String(name === chosen), "data-span": name,
      onclick: () => {
        chosen = name;
        sessionStorage.setItem("span", name);
        for (const b of tabs.children) b.setAttribute("aria-pressed", String(b.dataset.span === name));
        draw(true);
      },
    }, text)));

  async function draw(now) {
    if (!now && Date.now() - asked < 1900) return;
    asked = Date.now();
    const columns = await ask(`/api/timeline?span=${chosen}`).catch(() => null);
    if (columns && columns.span === chosen && line.node.isConnected) line.update(columns);
  }

  const node = h("div", { class: "stack" },
    h("h1", { class: "unseen" }, "Overview"),
    h("div", { class: "tiles" }, tiles.map((t) => t.node)),
    h("section", { class: "card" },
      h("header", {}, h("h2", {}, "How unlikely, and how busy"), line.readout, tabs), line.node),
    h("div", { class: "pair" },
      h("section", { class: "card" }, h("header", {}, h("h2", {}, "Alerts"), h("span", { class: "grow" }), all), list.node),
      grid.node));

  return {
    node,
    title: "oddcall",
    update(s) {
      standing(tiles[0], s);
      budget(tiles[1], s);
      coverage(tiles[2], s);
      cost(tiles[3], s);
      all.hidden = s.episodes.length === 0;
      list.update(s.episodes.slice(0, 8), s);
      grid.update(s);
      draw(false);
    },
  };
}
