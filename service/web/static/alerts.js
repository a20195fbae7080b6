// Every alert that is at hand, and how many there were on each day.

import { ask } from "/static/api.js";
import { count, h, keyed, s, some } from "/static/dom.js";
import { episodeList } from "/static/episodes.js";

function days(perDay, budget) {
  const last = new Date();
  const found = [...Array(30).keys()].map((back) => {
    const day = new Date(last.getTime() - (29 - back) * 86400e3).toISOString().slice(0, 10);
    return [day, perDay[day] || 0];
  });
  const top = Math.max(1, budget || 0, ...found.map(([, n]) => n));
  return h("div", {}, s("svg", { class: "days", viewBox: "0 0 300 60", preserveAspectRatio: "none", role: "img", "aria-label": `alerts a day, at most ${top}` },
    found.map(([day, n], i) => s("rect", { x: i * 10 + 1, width: 8, y: 58 - (54 * n) / top, height: (54 * n) / top + 1, class: budget && n > budget ? "fill-odd" : "fill-calm" }, s("title", {}, `${day}: ${some(n, "alert")}`)))),
    h("p", { class: "small soft" }, `Alerts on each of the last 30 days: ${count(found.reduce((sum, [, n]) => sum + n, 0))} in all.`));
}

export function alerts() {
  const list = episodeList("No alert is kept.");
  const chart = h("div", {});
  let seen = null;
  let known = [];

  async function load(state) {
    const told = await ask("/api/alerts").catch(() => null);
    if (!told) return;
    known = told.episodes;
    chart.replaceChildren(days(told.per_day, state.budget.per_day));
    list.update(known, state);
  }

  return {
    title: "Alerts",
    node: h("div", { class: "stack" },
      h("p", { class: "crumb" }, h("a", { href: "#/" }, "Overview"), " / Alerts"),
      h("section", { class: "card" }, h("header", {}, h("h1", {}, "Alerts")), chart),
      h("section", { class: "card" }, list.node)),
    update(state) {
      const now = JSON.stringify(state.episodes.map((e) => [e.id, e.lines]));
      if (now !== seen) {
        seen = now;
        load(state);
      } else {
        list.update(known, state);
      }
    },
  };
}
