// One alert: what was said, why, and what a person answers.

import { ask, send } from "/static/api.js";
import { JUDGED_BY, chance, clock, count, course, day, h, put, some, span } from "/static/dom.js";
import { ranges } from "/static/ranges.js";

const ASIDE = {
  predecessor: ", the binary that it replaced", similar: ", having no baseline of its own",
  unknown: ": it has no baseline",
};
const SAID = { ack: "Acknowledged", tolerate: "Tolerated", forget: "Forgotten" };

const facts = (pairs) => h("dl", { class: "facts" },
  pairs.filter(([, value]) => value || value === 0).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

/** A close repeats the oddest line. */
const repeats = (line, shown) => line.state === "close" || line.explanation.sentence === shown;

/** The line that shows the episode at its oddest. */
const worst = (lines) => lines.reduce((a, b) => (b.score.p_value < a.score.p_value ? b : a));

function evidence(line) {
  const { score, baseline, coverage, window: seen } = line;
  const spanned = (new Date(seen.end) - new Date(seen.start)) / 1000;
  const lost = coverage.lost || coverage.lost_keys ? `${some(coverage.lost, "update")} and ${some(coverage.lost_keys, "process", "processes")} on the whole host` : "nothing was lost";
  return facts([
    ["p-value", `${chance(score.p_value)}, alerts from ${chance(score.threshold)}${score.extrapolated ? "; beyond every clean window that was kept, so it is extrapolated" : ""}`],
    ["evidence", `${some(seen.events, "call")} in ${spanned < 10 ? spanned.toFixed(1) + " s" : span(spanned)}`],
    ["least likely", `${day(seen.start)} to ${clock(seen.end)}`],
    ["held against", `${JUDGED_BY[baseline.level]}${ASIDE[baseline.level] || ""} (${some(baseline.windows, "window")}${baseline.trained_span ? `, ${day(baseline.trained_span.start)} to ${day(baseline.trained_span.end)}` : ""})`],
    ["severity", baseline.severity_limit],
    ["detectors", Object.entries(score.detectors).map(([name, p]) => `${name.replaceAll("_", " ")} ${chance(p)}`).join(", ")],
    ["coverage", lost + (coverage.identity_complete ? "" : "; the process was gone before its program could be read")],
  ]);
}

function who(line, episode) {
  const { process, program } = line;
  return facts([
    ["program", h("code", {}, program.exe || program.comm)],
    ["process", `${process.pid}, user ${process.uid}, started by ${process.parent ? `${process.parent} (${process.ppid})` : process.ppid}`],
    ["arguments", process.cmdline && h("code", {}, process.cmdline)],
    ["unit", program.unit],
    ["container", program.container],
    ["began", day(episode.onset)],
    ["came back", episode.returns > 0 && `${some(episode.returns, "time")}, the last at ${day(episode.back)}`],
    ["last seen", day(episode.last)],
  ]);
}

function history(lines, shown) {
  return h("ul", { class: "list small" }, lines.map((line) => h("li", { class: "hint" },
    h("span", { class: "soft" }, `${day(line.time)}  `), `${line.state}, `, h("span", { class: `grade ${line.severity}` }, line.severity), `, p = ${chance(line.score.p_value)}`,
    line.suppressed_since_last ? `, ${some(line.suppressed_since_last, "window")} folded` : "",
    line.severity_before ? `, graver: ${line.severity_before} before` : "",
    line.news?.length > 0 && h("strong", {}, `, new: ${line.news.join(", ")}`),
    !repeats(line, shown) && h("p", { class: "told" }, line.explanation.sentence))));
}

function nearest(line) {
  const found = line.explanation.nearest_windows;
  if (!found.length) return null;
  return h("section", { class: "card" }, h("header", {}, h("h2", {}, "Nearest in the baseline")),
    h("ul", { class: "list small" }, found.map((w) => h("li", { class: "hint" },
      `${day(w.start)}, process ${w.pid}, ${some(w.events, "call")}, distance ${w.distance.toFixed(2)}`))));
}

/** What is said where an answer held already. */
const held = (said, note) => `Said before by ${said.who}, ${day(said.time)}: nothing was added${note && note !== said.note ? ", nor the note" : ""}.`;

function answers(episode, again, told) {
  const wrong = h("p", { class: "soft said", role: "alert" }, told);
  const place = h("div", {});
  const say = async (body) => {
    try {
      const { given } = await send("/api/feedback", body);
      await again(given.said_before ? held(given, body.note) : "");
    } catch (error) {
      put(wrong, `${error.message}. ${error.fix}`);
    }
  };
  const tolerate = () => {
    const hold = h("select", {}, [["", "for good"], ["3600", "for an hour"], ["86400", "for a day"], ["604800", "for a week"], ["2592000", "for 30 days"]].map(([value, text]) => h("option", { value }, text)));
    const note = h("input", { type: "text", maxlength: 1000, placeholder: "why, for whoever reads it later", size: 32 });
    const close = () => place.replaceChildren();
    place.replaceChildren(h("form", {
      class: "panel",
      onkeydown: (event) => event.key === "Escape" && (event.stopPropagation(), close()),
      onsubmit: (event) => {
        event.preventDefault();
        say({ verb: "tolerate", alert: episode.id, note: note.value, expires_s: hold.value ? Number(hold.value) : null });
      },
    },
    h("p", {}, "What it did becomes normal for this program. Anything else it does still alerts."),
    h("ul", { class: "tolerates" }, episode.tolerates.map((said) => h("li", {}, said))),
    h("label", {}, "How long", hold), h("label", {}, "Note", note),
    h("button", { class: "main", type: "submit" }, "Tolerate"), h("button", { type: "button", onclick: close }, "Cancel")));
    hold.focus();
  };
  const forget = () => {
    place.replaceChildren(h("form", {
      class: "panel",
      onkeydown: (event) => event.key === "Escape" && (event.stopPropagation(), place.replaceChildren()),
      onsubmit: (event) => { event.preventDefault(); say({ verb: "forget", alert: episode.id }); },
    },
    h("p", {}, "The baseline of this program is dropped. It is not judged until it is learned anew, which a watch with --model or --record never does. Undo brings it back."),
    h("button", { class: "main", type: "submit" }, "Learn anew"), h("button", { type: "button", onclick: () => place.replaceChildren() }, "Cancel")));
    place.querySelector("button").focus();
  };
  const given = episode.answers.map((said) => h("p", { class: "said small" },
    h("strong", {}, SAID[said.verb]), ` by ${said.who}, ${day(said.time)}`, said.expires ? `, until ${day(said.expires)}` : "", said.lapsed && `; the alert tells more since ${day(said.lapsed)}`, said.note ? `: ${said.note}` : ""));
  const has = (verb) => episode.answers.some((said) => said.verb === verb);
  return h("div", {}, h("div", { class: "answers" }, given,
    !has("ack") && h("button", { class: "main", type: "button", "data-key": "a", onclick: () => say({ verb: "ack", alert: episode.id }) }, "Acknowledge"),
    !has("tolerate") && h("button", { type: "button", "data-key": "o", onclick: tolerate }, "Tolerate …"),
    !has("forget") && h("button", { type: "button", onclick: forget }, "Learn anew …"),
    episode.answers.length > 0 && h("button", { type: "button", "data-key": "u", onclick: () => say({ verb: "undo", alert: episode.id }) }, "Undo"),
    wrong), place);
}

export function alert(id) {
  const node = h("div", { class: "stack" }, h("p", { class: "soft" }, "…"));
  let seen = null;
  // Of the last answer, for as long as the page is open: the state comes anew meanwhile.
  let told = "";

  async function load(state) {
    let episode;
    try {
      episode = await ask(`/api/alerts/${encodeURIComponent(id)}`);
    } catch (error) {
      node.replaceChildren(h("p", { class: "crumb" }, h("a", { href: "#/" }, "Overview")), h("section", { class: "card" }, h("h1", {}, "Not found"), h("p", { class: "soft" }, `${error.message}. ${error.fix || ""}`)));
      return;
    }
    const line = worst(episode.history);
    const program = state.programs.find((p) => p.exe === episode.exe && (p.unit || null) === episode.unit);
    const said = line.explanation;
    node.replaceChildren(
      h("p", { class: "crumb" }, h("a", { href: "#/" }, "Overview"), " / ", h("a", { href: "#/alerts" }, "Alerts"), ` / ${id.slice(0, 8)}`),
      h("section", { class: "card" },
        h("div", { class: "title" },
          h("span", { class: `grade ${episode.severity}` }, episode.severity),
          h("h1", {}, program ? h("a", { href: `#/programs/${program.id}` }, episode.name) : episode.name),
          h("span", { class: `pill ${episode.state}` }, episode.state === "open" ? "going on" : "over"),
          h("span", { class: "soft" }, course(episode))),
        h("p", { class: "sentence" }, said.sentence),
        episode.also.map((sentence) => h("p", { class: "also" }, `Also: ${sentence}`)),
        answers(episode, (text) => { told = text; return load(state); }, told)),
      h("div", { class: "pair even" },
        h("div", { class: "stack" },
          said.top.length > 0 && h("section", { class: "card" },
            h("header", {}, h("h2", {}, "Observed against typical"), h("span", { class: "key" }, h("span", { class: "seen" }, "observed"), h("span", {}, "typical"))),
            ranges(said.top.map((f) => ({ name: f.feature, seen: f.observed, typical: f.typical })), ["What", "observed"])),
          line.attack_hints.length > 0 && h("section", { class: "card" }, h("header", {}, h("h2", {}, "Consistent with")),
            line.attack_hints.map((hint) => h("p", { class: "hint" }, h("span", { class: "chip" }, hint.technique), ` ${hint.why}`))),
          nearest(line)),
        h("div", { class: "stack" },
          h("section", { class: "card" }, h("header", {}, h("h2", {}, "Who")), who(line, episode)),
          h("section", { class: "card" }, h("header", {}, h("h2", {}, "Evidence")), evidence(line)),
          h("section", { class: "card" }, h("header", {}, h("h2", {}, "What was sent")), history(episode.history, said.sentence)))));
  }

  return {
    node,
    title: "Alert",
    update(state) {
      const episode = state.episodes.find((e) => e.id === id);
      const now = JSON.stringify([episode?.lines, state.answers[id]]);
      // A person who is typing an answer is not interrupted.
      if (now === seen || node.querySelector(".panel")) return;
      seen = now;
      load(state);
    },
  };
}
