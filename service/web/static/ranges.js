// Rows of observed against typical.

import { h, measure, range, share } from "/static/dom.js";

const UNIT = / \((share of [a-z]+)\)$/;

/** `rows`: name, seen (null where nothing was), typical {q05, q50, q95}, never. */
export function ranges(rows, titles) {
  const shares = rows.filter((row) => UNIT.test(row.name)).flatMap((row) => [row.seen ?? 0, row.typical.q95]);
  const full = Math.max(0.02, ...shares) * 1.02;
  return h("div", { class: "ranges" },
    h("div", { class: "headed" }, h("span", { class: "what" }, titles[0]), h("span", { class: "seen" }, titles[1]), h("span", { class: "usual" }, "typical, 5 to 95 %")),
    rows.map((row) => {
      const isShare = UNIT.test(row.name);
      const text = isShare ? share : measure;
      const scale = isShare ? full : Math.max(row.seen ?? 0, row.typical.q95, 1e-9) * 1.05;
      const usual = row.never ? "never" : row.typical.q95 === 0 ? "none" : `${text(row.typical.q05)} to ${text(row.typical.q95)}`;
      return h("div", {},
        h("span", { class: "what" }, row.name.replace(UNIT, ""), row.more && h("span", { class: "soft small" }, row.more)),
        h("span", { class: "bar" }, range(row.seen, row.typical, scale)),
        h("span", { class: "seen" }, row.seen === null ? "–" : text(row.seen)),
        h("span", { class: row.never || row.typical.q95 === 0 ? "usual new" : "usual" }, usual));
    }));
}
