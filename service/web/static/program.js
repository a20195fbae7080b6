// One program: how it stands, what is normal for it, what it did lately.

import { ask } from "/static/api.js";
import { timeline } from "/static/chart.js";
import { JUDGED_BY, ago, chance, count, day, h, keyed, put, rate, some } from "/static/dom.js";
import { episodeList } from "/static/episodes.js";
import { ranges } from "/static/ranges.js";

const LEVEL = {
  program: `Judged by ${JUDGED_BY.program}.`, predecessor: `Scored by ${JUDGED_BY.predecessor}, the binary that it replaced.`,
  similar: `Judged by ${JUDGED_BY.similar}.`, unknown: "Not judged.",
};

export function program(id) {
  const line = timeline("How unlikely this program's windows were, and its calls a second");
  const list = episodeList("No alert of this program is kept.");
  const title = h("h1", {}, "…");
  const pill = h("span", { class: "pill" });
  const exe = h("p", { class: "mono soft" });
  const why = h("p", {});
  const normal = h("div", {});
  const about = h("p", { class: "soft small" });
  const body = h("tbody", {});
  const grid = h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ["pid", "name", "p", "calls/s", "errors/s", "seen"].map((text, i) => h("th", { scope: "col", class: i > 1 ? (i === 5 ? "num wide" : "num") : null }, text)))), body));
  const none = h("p", { class: "empty" }, "None had a window in the last minute.");
  const missing = h("p", { class: "soft", hidden: true });
  let which = 0;
  let asked = 0;
  const shown = h("div", { class: "stack" });
  const tabs = h("span", { class: "tabs", role: "group", "aria-label": "Span" }, ["6 min", "12 h"].map((text, i) => h("button", {
    type: "button", "aria-pressed": String(i === 0),
    onclick: () => {
      which = i;
      [...tabs.children].forEach((b, j) => b.setAttribute("aria-pressed", String(i === j)));
      asked = 0;
    },
  }, text)));

  function normalOf(told) {
    const b = told.baseline;
    if (!b) {
      put(about, "Nothing is known of what is normal for it.");
      return normal.replaceChildren();
    }
    put(about, `${b.name}: ${some(b.windows, "window")}, ${day(b.first)} to ${day(b.last)}, ${some(b.features, "feature")} ever seen. Shares of its calls; “lately” is the last few minutes.`);
    normal.replaceChildren(ranges(b.calls.slice(0, 16).map((c) => ({
      name: `${c.call} (share of calls)`, seen: c.lately, typical: c.typical, never: c.never,
      more: c.failing > 0.005 ? ` ${Math.round(100 * c.failing)} % fail` : "",
    })), ["Call", "lately"]));
  }

  async function load(state) {
    if (Date.now() - asked < 1900) return;
    asked = Date.now();
    let told;
    try {
      told = await ask(`/api/programs/${encodeURIComponent(id)}`);
    } catch (error) {
      shown.hidden = true;
      missing.hidden = false;
      return put(missing, `${error.message}. ${error.fix || ""}`);
    }
    shown.hidden = false;
    missing.hidden = true;
    put(title, told.label);
    pill.className = `pill ${told.state}`;
    put(pill, told.state);
    put(exe, [told.exe, told.unit, told.container].filter(Boolean).join("  ·  "));
    put(why, `${told.why} ${LEVEL[told.level] || ""} ${told.seen ? `Last window ${ago(told.seen, state.time)}; ${told.p_now === null && told.p_worst === null ? "none may alert" : `p = ${chance(told.p_now)}, least in five minutes ${chance(told.p_worst)}`}; ${rate(told.calls_s)} calls and ${rate(told.errors_s)} errors a second.` : "Not seen since the start."}`);
    normalOf(told);
    if (told.timelines.length) line.update({ ...told.timelines[which], threshold: state.budget.threshold });
    list.update(told.episodes, state);
    none.hidden = told.processes.length > 0;
    grid.hidden = !none.hidden;
    keyed(body, told.processes.slice(0, 20), (p) => p.pid, () => h("tr", {}, h("td", {}), h("td", { class: "name whole" }), h("td", { class: "num p" }), h("td", { class: "num" }), h("td", { class: "num" }), h("td", { class: "num wide" })), (row, p) => {
      [String(p.pid), p.comm + (p.ended ? " (ended)" : ""), chance(p.p), rate(p.calls_s), rate(p.errors_s), ago(p.seen, state.time)].forEach((text, i) => put(row.children[i], text));
      row.classList.toggle("odd", p.alert);
    });
  }

  shown.append(
    h("section", { class: "card" }, h("div", { class: "title" }, title, pill), exe, why),
    h("section", { class: "card" }, h("header", {}, h("h2", {}, "Its windows"), line.readout, tabs), line.node),
    h("div", { class: "pair even" },
      h("section", { class: "card" }, h("header", {}, h("h2", {}, "What is normal for it"), h("span", { class: "key" }, h("span", { class: "seen" }, "lately"), h("span", {}, "typical"))), about, normal),
      h("div", { class: "stack" },
        h("section", { class: "card" }, h("header", {}, h("h2", {}, "Processes")), none,
          grid),
        h("section", { class: "card" }, h("header", {}, h("h2", {}, "Alerts")), list.node))));

  return {
    title: "Program",
    node: h("div", { class: "stack" }, h("p", { class: "crumb" }, h("a", { href: "#/" }, "Overview"), " / Program"), missing, shown),
    update: load,
  };
}
