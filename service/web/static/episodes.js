// A list of alerts, one entry an episode.

import { ago, chance, h, keyed, put, some } from "/static/dom.js";

const SAID = { ack: "acknowledged", tolerate: "tolerated", forget: "forgotten", news: "more since it was answered" };

/** What it did besides its oddest: the latest kind in full. */
const also = ({ also: [latest, ...more] }) => (latest ? `Also: ${latest}${more.length ? ` And ${some(more.length, "other kind")}.` : ""}` : "");

function make() {
  return h("li", {},
    h("a", { class: "episode step" },
      h("span", { class: "head" },
        h("span", { class: "grade" }), h("span", { class: "name" }), h("span", { class: "when" })),
      h("span", { class: "said" }), h("span", { class: "said also" }), h("span", { class: "chips" })));
}

function update(row, e, state) {
  const link = row.firstChild;
  const answers = state.answers[e.id] || [];
  link.setAttribute("href", `#/alerts/${e.id}`);
  link.classList.toggle("answered", answers.length > 0 && answers.at(-1) !== "news");
  const grade = link.querySelector(".grade");
  grade.className = `grade ${e.severity}`;
  put(grade, e.severity);
  put(link.querySelector(".name"), e.name);
  put(link.querySelector(".when"), e.state === "open" ? `now, ${e.returns ? "came back" : "began"} ${ago(e.back, state.time)}` : ago(e.last, state.time));
  put(link.querySelector(".said"), e.sentence);
  put(link.querySelector(".also"), also(e));
  const chips = [`p = ${chance(e.p_value)}`, ...e.hints, ...answers.map((verb) => SAID[verb])];
  keyed(link.querySelector(".chips"), chips, (c) => c, (c) => h("span", { class: "chip" }, c), () => {});
}

/** A list that `update(episodes, state)` fills; what is new in it shows, unless all of it is. */
export function episodeList(none) {
  const list = h("ul", { class: "list" });
  const empty = h("p", { class: "empty" }, none);
  let first = true;
  return {
    node: h("div", {}, empty, list),
    update(episodes, state, other = false) {
      empty.hidden = episodes.length > 0;
      const made = (e) => {
        const row = make(e);
        if (!first && !other) row.firstChild.classList.add("fresh");
        return row;
      };
      keyed(list, episodes, (e) => e.id, made, (row, e) => update(row, e, state));
      first = false;
    },
  };
}
