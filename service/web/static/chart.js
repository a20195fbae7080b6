// Time lines: how unlikely the oddest window of each moment was, and calls a second below.

import { chance, clock, h, put, rate, some } from "/static/dom.js";

const FLOOR = 16; // nobody needs to tell 1e-16 from less
const PADDING = [8, 26, 0, 0]; // half of the last clock label is to the right of its tick
const odd = (p) => (p === null ? null : Math.min(FLOOR, -Math.log10(Math.max(p, 1e-300))));

function colours() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  return {
    calm: colour("--calm"), odd: colour("--odd"), line: colour("--line"),
    soft: colour("--soft"), faint: colour("--line-2"),
  };
}

function bars(u, threshold, width) {
  const ctx = u.ctx;
  const paint = colours();
  const [times, values] = u.data;
  const floor = u.valToPos(0, "y", true);
  const wide = Math.max(1, Math.abs(u.valToPos(times[0] + width, "x", true) - u.valToPos(times[0], "x", true)) - 1);
  ctx.save();
  for (let i = 0; i < times.length; i++) {
    if (values[i] === null) continue;
    const x = u.valToPos(times[i], "x", true);
    const y = u.valToPos(Math.max(values[i], 0.06), "y", true);
    const over = threshold !== null && values[i] >= threshold;
    ctx.fillStyle = over ? paint.odd : paint.calm;
    ctx.globalAlpha = over ? 1 : 0.5;
    ctx.fillRect(x, y, wide, floor - y);
  }
  if (threshold !== null) {
    const y = u.valToPos(threshold, "y", true);
    ctx.globalAlpha = 0.8;
    ctx.strokeStyle = paint.odd;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(u.bbox.left, y);
    ctx.lineTo(u.bbox.left + u.bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

function clockTicks(u, splits) {
  const short = splits.length > 1 && splits[1] - splits[0] < 60;
  return splits.map((t) => clock(t * 1000).slice(0, short ? 8 : 5));
}

const axis = (paint, more) => ({
  stroke: paint.soft, grid: { stroke: paint.line, width: 1 }, ticks: { show: false },
  font: "11px system-ui, sans-serif", ...more,
});

/**
 * Two panels with one time axis. `update(line)` takes columns `time_s, p, calls, windows,
 * alerts`, `width_s` and `threshold`.
 */
export function timeline(label) {
  const node = h("div", { class: "chart", role: "img", "aria-label": label });
  const readout = h("p", { class: "readout" });
  let panels = [];
  let shown = null;
  let look = "";

  function tell(i) {
    if (i === null || i === undefined || !shown) {
      const worst = Math.min(...shown.p.filter((p) => p !== null), 1);
      put(readout, shown.p.some((p) => p !== null)
        ? `least likely in this span: p = ${chance(worst)}` + (shown.threshold ? `; alerts from p = ${chance(shown.threshold)}` : "")
        : "nothing that may alert was judged here: calls are counted");
      return;
    }
    const calls = shown.calls[i] / shown.width_s;
    put(readout, `${clock(shown.time_s[i] * 1000)}   p = ${chance(shown.p[i])}   ${rate(calls)} calls a second, ${some(shown.windows[i], "window")}` +
      (shown.alerts[i] ? `, ${some(shown.alerts[i], "alert")}` : ""));
  }

  function build() {
    panels.forEach((panel) => panel.destroy());
    const paint = colours();
    const width = node.clientWidth || 600;
    const cursor = { sync: { key: label }, y: false, points: { show: false }, drag: { x: false, y: false } };
    const scaleX = { time: true, range: () => [shown.time_s[0], shown.time_s.at(-1) + shown.width_s] };
    const top = Math.max(4, ...shown.p.map(odd), shown.threshold ? odd(shown.threshold) : 0) + 0.6;
    panels = [
      new uPlot({
        width, height: 173, cursor, legend: { show: false }, padding: PADDING,
        scales: { x: scaleX, y: { range: [0, top] } },
        axes: [
          axis(paint, { size: 9, values: () => [] }),
          axis(paint, {
            size: 52, splits: () => (top > 9 ? [0, 4, 8, 12, 16] : [0, 2, 4, 6, 8]).filter((y) => y <= top),
            values: (u, splits) => splits.map((y) => (y === 0 ? "p = 1" : `1e-${y}`)),
          }),
        ],
        series: [{}, { paths: () => null, points: { show: false } }],
        hooks: {
          draw: [(u) => bars(u, shown.threshold ? odd(shown.threshold) : null, shown.width_s)],
          setCursor: [(u) => tell(u.cursor.idx)],
        },
      }, [shown.time_s, shown.p.map(odd)], node),
      new uPlot({
        width, height: 84, cursor, legend: { show: false }, padding: PADDING,
        scales: { x: scaleX, y: { range: (u, low, high) => [0, Math.max(high || 0, 1) * 1.1] } },
        axes: [
          axis(paint, { size: 26, space: 70, values: clockTicks }),
          axis(paint, {
            size: 52, space: 26,
            values: (u, splits) => splits.map((y) => (y >= 1e6 ? `${y / 1e6} M/s` : y >= 1000 ? `${y / 1000} k/s` : `${y}/s`)),
          }),
        ],
        series: [{}, { stroke: paint.calm, width: 1.2, fill: paint.calm + "22", points: { show: false } }],
        hooks: { setCursor: [(u) => tell(u.cursor.idx)] },
      }, [shown.time_s, calls(shown)], node),
    ];
  }

  // The newest bin still fills, and would look like a fall.
  // Before the first window nothing was counted, which is not the same as nothing called.
  const calls = (line) => {
    const first = line.windows.findIndex((n) => n > 0);
    return line.calls.map((n, i) => (i < first || first < 0 || i === line.calls.length - 1 ? null : n / line.width_s));
  };

  function update(line) {
    shown = line;
    const top = Math.max(4, ...line.p.map(odd), line.threshold ? odd(line.threshold) : 0);
    const now = [node.clientWidth, document.documentElement.dataset.theme, matchMedia("(prefers-color-scheme: dark)").matches, line.width_s, line.threshold, top].join();
    if (now !== look) {
      look = now;
      build();
    } else {
      panels[0].setData([line.time_s, line.p.map(odd)]);
      panels[1].setData([line.time_s, calls(line)]);
    }
    tell(panels[0].cursor.idx);
  }

  const again = () => shown && update(shown);
  new ResizeObserver(again).observe(node);
  document.addEventListener("theme", again);
  return { node, readout, update };
}
