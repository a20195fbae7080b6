// The page: which view is shown, and what each is told.

import { ask, follow, send } from "/static/api.js";
import { ago, h, put } from "/static/dom.js";
import { overview } from "/static/overview.js";
import { alert } from "/static/alert.js";
import { alerts } from "/static/alerts.js";
import { program } from "/static/program.js";
import { keys } from "/static/keys.js";

const main = document.getElementById("main");
const banner = document.getElementById("banner");
const live = document.getElementById("live");
let state = null;
let view = null;
let last = 0;
const known = new Set();

function route() {
  const [, place, id] = location.hash.split("/");
  if (place === "alerts" && id) return alert(decodeURIComponent(id), go);
  if (place === "alerts") return alerts();
  if (place === "programs" && id) return program(decodeURIComponent(id));
  return overview();
}

function go() {
  const back = view !== null;
  view?.leave?.();
  view = route();
  main.replaceChildren(view.node);
  scrollTo(0, 0);
  if (back) main.focus({ preventScroll: true });
  if (state) view.update(state);
}

function standing() {
  put(document.getElementById("host"), state.host.name || "");
  const word = state.phase === "watching" ? "live" : state.phase;
  put(live, state.alive ? word : "no ticks come");
  live.className = `live ${state.alive && state.phase !== "stopped" ? "on" : "off"}`;
  const open = state.episodes.filter((e) => e.state === "open" && !state.answers[e.id]);
  document.title = `${open.length ? `(${open.length}) ` : ""}${view?.title || "oddcall"} · ${state.host.name}`;
  put(document.getElementById("foot"), `oddcall ${state.version} · kernel ${state.host.kernel} ${state.host.arch} · loader ${state.loader} · process ${state.pid}, since ${ago(state.began, state.time).replace(" ago", "")}`);
}

/** Tell a person who does not see the list that something came. */
function news() {
  const fresh = state.episodes.filter((e) => !known.has(e.id));
  if (known.size || last) {
    for (const e of fresh) put(document.getElementById("news"), `New alert, ${e.severity}: ${e.sentence}`);
  }
  fresh.forEach((e) => known.add(e.id));
}

function told(next) {
  state = next;
  banner.hidden = true;
  news();
  last = Date.now();
  view.update(state);
  standing();
}

function gone() {
  live.className = "live off";
  put(live, "not connected");
  put(banner, "The watch does not answer. This page shows how things stood, and tries again by itself.");
  banner.hidden = false;
}

function door(error) {
  const key = h("input", { type: "password", autocomplete: "current-password", "aria-label": "Key", placeholder: "Key" });
  const wrong = h("p", { class: "soft", role: "alert" });
  const form = h("form", {
    onsubmit: async (event) => {
      event.preventDefault();
      try {
        await send("/api/session", { key: key.value.trim() });
        location.reload();
      } catch (refused) {
        put(wrong, `${refused.message}.`);
        key.select();
      }
    },
  }, key, h("button", { class: "main", type: "submit" }, "Open"));
  main.replaceChildren(h("section", { class: "card door" },
    h("h1", {}, "Who is there?"),
    h("p", { class: "soft" }, "This page shows what the programs of this host do. It opens for who runs the watch, and for whoever has its key."),
    form, wrong,
    h("p", { class: "soft small" }, "Where no token is set, the key is in the address that ", h("code", {}, "oddcall watch"), " printed; ", h("code", {}, "sudo oddcall top --address"), " prints it again.")));
  put(live, "");
  if (error.status !== 401) put(wrong, error.message);
  key.focus();
}

async function start() {
  keys();
  // Who may see it got it with the page: drawn before the page has loaded.
  const stands = document.getElementById("stands").textContent;
  const given = location.hash.match(/[#&]key=([^&]+)/);
  if (given) {
    history.replaceState(null, "", location.pathname + "#/");
    const session = send("/api/session", { key: decodeURIComponent(given[1]) }).catch(() => {});
    if (!stands) await session;
  }
  try {
    state = stands ? JSON.parse(stands) : await ask("/api/state");
  } catch (error) {
    if (error.status) return door(error);
    gone();
    return setTimeout(() => location.reload(), 5000);
  }
  addEventListener("hashchange", go);
  go();
  told(state);
  follow(told, gone);
}

start();
