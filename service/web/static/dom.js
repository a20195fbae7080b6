// Elements, numbers and times. Names come from programs that may be hostile: text is only ever
// set as text.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

/** Whose baseline judges a program, in the words of the terminal (models/verdict.py). */
export const JUDGED_BY = {
  program: "its own baseline", predecessor: "its predecessor", similar: "programs like it", unknown: "nothing yet",
};

export const h = (tag, attributes, ...children) =>
  filled(document.createElement(tag), attributes, children);

export const s = (tag, attributes, ...children) =>
  filled(document.createElementNS(SVG, tag), attributes, children);

/** Set text only where it differs, so that what a person selects stays selected. */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Bring the children of a node in line with items, keeping those that stay. */
export function keyed(parent, items, keyOf, make, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = old.get(key);
    old.delete(key);
    if (!child) {
      child = make(item);
      child.dataset.key = key;
    }
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const child of old.values()) child.remove();
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
export const count = (n) => whole.format(n);
export const some = (n, word, many) => `${count(n)} ${n === 1 ? word : many || word + "s"}`;

export function rate(n) {
  if (n === null || n === undefined) return "–";
  if (n === 0) return "0";
  return n >= 100 ? count(n) : n >= 10 ? n.toFixed(0) : n >= 0.1 ? n.toFixed(1) : "<0.1";
}

export function chance(p) {
  if (p === null || p === undefined) return "–";
  if (p >= 0.001) return p.toFixed(p >= 0.1 ? 2 : 3);
  return p < 1e-99 ? "<1e-99" : p.toExponential(p < 1e-9 ? 0 : 1);
}

export function share(x) {
  if (x === null || x === undefined) return "–";
  if (x === 0) return "0 %";
  const percent = 100 * x;
  return percent >= 10 ? `${percent.toFixed(0)} %` : percent >= 0.1 ? `${percent.toFixed(1)} %` : "<0.1 %";
}

export function measure(x) {
  if (x === 0) return "0";
  return Math.abs(x) >= 100 ? count(x) : Math.abs(x) >= 10 ? x.toFixed(0) : Number(x.toPrecision(2)).toString();
}

export function bytes(n) {
  return n >= 1e9 ? `${(n / 1e9).toFixed(1)} GB` : `${(n / 1e6).toFixed(0)} MB`;
}

export function span(seconds) {
  const t = Math.max(0, Math.round(seconds));
  if (t < 60) return `${t} s`;
  if (t < 3600) return `${Math.floor(t / 60)} min${t < 600 && t % 60 ? ` ${t % 60} s` : ""}`;
  if (t < 172800) return `${Math.floor(t / 3600)} h${t % 3600 >= 60 ? ` ${Math.floor((t % 3600) / 60)} min` : ""}`;
  return `${Math.floor(t / 86400)} days`;
}

export const clock = (iso) =>
  new Date(iso).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function day(iso) {
  const date = new Date(iso);
  const today = new Date().toDateString() === date.toDateString();
  if (today) return clock(iso);
  return `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${clock(iso)}`;
}

export function ago(iso, now) {
  const seconds = (new Date(now) - new Date(iso)) / 1000;
  return seconds < 5 ? "just now" : `${span(seconds).replace(/ (min|h) .*/, " $1")} ago`;
}

/** When it began and, of what came back, how often, and when it was seen last. */
export function course(e) {
  if (!e.returns) return `began ${day(e.onset)}, ${span((new Date(e.last) - new Date(e.onset)) / 1000)} of it`;
  return `began ${day(e.onset)}, came back ${some(e.returns, "time")}, ${e.state === "open" ? `now since ${day(e.back)}` : `last seen ${day(e.last)}`}`;
}

/** A bar of parts of a whole: [[part, class], ...]. */
export function meter(parts, label) {
  let x = 0;
  const rects = parts.map(([part, kind]) => {
    const width = Math.max(0, Math.min(1 - x, part));
    const rect = s("rect", { x: `${100 * x}%`, y: 0, width: `${100 * width}%`, height: 6, class: kind });
    x += width;
    return rect;
  });
  return s("svg", { class: "meter", role: "img", "aria-label": label },
    s("rect", { class: "rest", width: "100%", height: 6 }), rects);
}

/** Observed against typical on one line; the scale is a square root, which shows small shares. */
export function range(seen, typical, full) {
  const at = (x) => `${(100 * Math.sqrt(Math.max(0, Math.min(1, x / full)))).toFixed(2)}%`;
  const wide = (a, b) => `${(100 * (Math.sqrt(Math.min(1, b / full)) - Math.sqrt(Math.min(1, a / full)))).toFixed(2)}%`;
  const out = seen !== null && (seen > typical.q95 * 1.0001 || seen < typical.q05 * 0.9999);
  return s("svg", { class: "range", "aria-hidden": "true" },
    s("rect", { class: "track", y: 5, width: "100%", height: 6, rx: 3 }),
    typical.q95 > 0 && s("rect", { class: "band", x: at(typical.q05), y: 3, width: wide(typical.q05, typical.q95), height: 10, rx: 3 }),
    typical.q95 > 0 && s("rect", { class: "mid", x: at(typical.q50), y: 3, width: 2, height: 10 }),
    seen !== null && s("circle", { class: out ? "dot out" : "dot", cx: at(seen), cy: 8, r: 4.5 }));
}
