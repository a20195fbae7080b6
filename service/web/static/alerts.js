// Every alert that is kept, page by page, and how many there were on each day.

import { ask } from "/static/api.js";
import { count, h, put, s, some } from "/static/dom.js";
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

// Where a person was, for when they come back from an alert: places that pages begin before.
const at = { pages: [""], word: "" };

export function alerts() {
  const list = episodeList("No alert is kept.");
  const chart = h("div", {});
  const nothing = h("p", { class: "empty", hidden: true });
  const which = h("span", { class: "soft small", "aria-live": "polite" });
  const newer = h("button", { type: "button", "data-key": "p", onclick: () => turn(() => at.pages.pop()) }, "Newer");
  const older = h("button", { type: "button", "data-key": "n", onclick: () => turn(() => at.pages.push(next)) }, "Older");
  const find = h("input", { class: "find", type: "search", placeholder: "Program", "aria-label": "Only alerts of programs called so", value: at.word, oninput: () => seek() });
  const top = h("section", { class: "card" }, h("header", {}, h("h2", {}, "Latest first"), h("span", { class: "grow" }), find),
    nothing, list.node, h("nav", { class: "turn", "aria-label": "Pages" }, newer, which, older));
  let seen = null;
  let known = [];
  let next = null;
  let now = null;
  let asked = 0;
  let waiting = 0;

  async function load(other = true) {
    const mine = ++asked;
    const told = await ask(`/api/alerts?${new URLSearchParams({ before: at.pages.at(-1), program: at.word })}`).catch(() => null);
    if (!told || mine !== asked || !now) return;
    known = told.episodes;
    next = told.older;
    chart.replaceChildren(days(told.per_day, now.budget.per_day));
    list.node.hidden = at.word !== "" && known.length === 0;
    nothing.hidden = !list.node.hidden;
    put(nothing, `No alert is kept of a program called ${at.word}.`);
    newer.disabled = at.pages.length === 1;
    older.disabled = next === null;
    newer.parentNode.hidden = newer.disabled && older.disabled;
    put(which, `Page ${at.pages.length}`);
    list.update(known, now, other);
  }

  async function turn(step) {
    step();
    await load();
    top.scrollIntoView({ block: "start" });
    list.node.querySelector("a.step")?.focus({ preventScroll: true });
  }

  /** Ask once a person has stopped typing. */
  function seek() {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      at.word = find.value.trim();
      at.pages = [""];
      load();
    }, 200);
  }

  return {
    title: "Alerts",
    node: h("div", { class: "stack" },
      h("p", { class: "crumb" }, h("a", { href: "#/" }, "Overview"), " / Alerts"),
      h("section", { class: "card" }, h("header", {}, h("h1", {}, "Alerts")), chart),
      top),
    leave: () => clearTimeout(waiting),
    update(state) {
      now = state;
      const latest = JSON.stringify(state.episodes.map((e) => [e.id, e.lines]));
      if (latest !== seen) {
        load(seen === null);
        seen = latest;
      } else {
        list.update(known, state);
      }
    },
  };
}
