// Three plots as SVG, drawn to the width there is. Axes have units; every series has a form of its own beside its colour.
const NS = "http://www.w3.org/2000/svg";
const HEIGHT = 200;
const EDGE = { left: 40, right: 10, top: 26, bottom: 34 };
const FEW_ATTEMPTS = 20;
const MINUTE_MS = 60000;
const NESTED = { calls: 0.8, answers: 0.5, connects: 0.2 }; // shares of the minute's width, the later within the earlier

function make(name, attributes, ...inside) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

function canvas(width, label) {
  const svg = make("svg", { width, height: HEIGHT, role: "img", "aria-label": label });
  const box = { x0: EDGE.left, x1: width - EDGE.right, y0: HEIGHT - EDGE.bottom, y1: EDGE.top };
  return { svg, box, x: (part) => box.x0 + part * (box.x1 - box.x0), y: (part) => box.y0 - part * (box.y0 - box.y1) };
}

function stepFor(span, most) {
  let size = 10 ** Math.floor(Math.log10(span / most));
  for (;;) {
    for (const factor of [1, 2, 5]) if (span / (size * factor) <= most) return size * factor;
    size *= 10;
  }
}

function yAxis(chart, low, high, step, unit, format) {
  const { svg, box, y } = chart;
  for (let value = low; value <= high + step / 1000; value += step) {
    const at = y((value - low) / (high - low));
    svg.append(make("line", { x1: box.x0, x2: box.x1, y1: at, y2: at, class: "grid" }));
    svg.append(make("text", { x: box.x0 - 6, y: at + 4, "text-anchor": "end", class: "axis" }, format(value)));
  }
  svg.append(make("text", { x: 0, y: 11, class: "axis" }, unit));
}

function xTick(chart, part, text, anchor = "middle") {
  const { svg, box, x } = chart;
  svg.append(make("line", { x1: x(part), x2: x(part), y1: box.y0, y2: box.y0 + 4, class: "tick" }));
  svg.append(make("text", { x: x(part), y: box.y0 + 16, "text-anchor": anchor, class: "axis" }, text));
}

function xUnit(chart, text) {
  chart.svg.append(make("text", { x: chart.box.x1, y: HEIGHT - 4, "text-anchor": "end", class: "axis" }, text));
}

function nothing(chart, text) {
  const { svg, box } = chart;
  svg.append(make("text", { x: (box.x0 + box.x1) / 2, y: (box.y0 + box.y1) / 2, "text-anchor": "middle", class: "none" }, text));
}

function wilson(part, whole) {
  const z = 1.96, share = part / whole, scale = 1 + (z * z) / whole;
  const middle = share + (z * z) / (2 * whole);
  const spread = z * Math.sqrt((share * (1 - share)) / whole + (z * z) / (4 * whole * whole));
  return [Math.max(0, (middle - spread) / scale), Math.min(1, (middle + spread) / scale)];
}

const minus = (value) => String(value).replace("-", "−");
const percent = (value) => `${Math.round(value * 100)} %`;

export function hours(width, byHour) {
  const known = Object.entries(byHour).filter(([hour]) => hour !== "unknown");
  const best = known.reduce((a, b) => (b[1].connect_rate > (a ? a[1].connect_rate : -1) ? b : a), null);
  const label = best
    ? `Connect rate by the callee's local hour, ${known.length} hours with attempts; highest ${percent(best[1].connect_rate)} at ${best[0]} o'clock, ${best[1].connects} of ${best[1].attempts}.`
    : "No attempt yet.";
  const chart = canvas(width, label);
  const tops = known.map(([, h]) => (h.attempts >= FEW_ATTEMPTS ? wilson(h.connects, h.attempts)[1] : h.connect_rate));
  const step = stepFor(Math.max(0.1, ...tops), 4);
  const high = Math.min(1, Math.ceil(Math.max(0.1, ...tops) / step - 1e-9) * step);
  yAxis(chart, 0, high, step, "connects / attempts", percent);
  const band = (chart.box.x1 - chart.box.x0) / 24;
  for (let hour = 0; hour <= 24; hour += 3) xTick(chart, hour / 24, String(hour).padStart(2, "0"));
  xUnit(chart, "o’clock where the callee lives");
  if (!best) nothing(chart, "No attempt yet");
  for (const [name, h] of known) {
    const left = chart.x(Number(name) / 24), top = chart.y(Math.min(h.connect_rate, high) / high);
    const few = h.attempts < FEW_ATTEMPTS;
    const bar = make("rect", { x: left + band * 0.15, y: top, width: band * 0.7, height: Math.max(0, chart.box.y0 - top), class: few ? "rate few" : "rate" });
    bar.append(make("title", {}, `${name}:00, ${h.connects} of ${h.attempts} attempts, ${percent(h.connect_rate)}`));
    chart.svg.append(bar);
    const [low, up] = wilson(h.connects, h.attempts).map((value) => chart.y(Math.min(value, high) / high));
    const middle = left + band / 2;
    chart.svg.append(make("path", { d: `M${middle} ${low}V${up}`, class: "whisker" }));
  }
  return chart.svg;
}

export function activity(width, minutes, clock) {
  const sums = totals(minutes);
  const label = `The last 15 minutes: ${sums.calls} calls, ${sums.answers} human answers, ${sums.connects} connects.`;
  const chart = canvas(width, label);
  const most = Math.max(4, ...minutes.map((m) => m.calls));
  const step = Math.max(1, stepFor(most, 4));
  const high = Math.ceil(most / step) * step;
  yAxis(chart, 0, high, step, "per minute", String);
  const count = minutes.length, every = 5;
  for (let place = 0; place <= count; place += every) {
    const at = place < count ? minutes[place].at : new Date(Date.parse(minutes[count - 1].at) + MINUTE_MS).toISOString();
    xTick(chart, place / count, clock(at), place === 0 ? "start" : place === count ? "end" : "middle");
  }
  if (!sums.calls) nothing(chart, "No call in these minutes");
  const wide = (chart.box.x1 - chart.box.x0) / count;
  for (const [place, m] of minutes.entries()) {
    for (const [what, share] of Object.entries(NESTED)) {
      if (!m[what]) continue;
      const top = chart.y(Math.min(m[what], high) / high), left = chart.x(place / count) + (wide * (1 - share)) / 2;
      const bar = make("rect", { x: left, y: top, width: wide * share, height: chart.box.y0 - top, class: what });
      bar.append(make("title", {}, `${clock(m.at)}: ${m.calls} calls, ${m.answers} human answers, ${m.connects} connects`));
      chart.svg.append(bar);
    }
  }
  return chart.svg;
}

export function totals(minutes) {
  const sum = (what) => minutes.reduce((total, m) => total + m[what], 0);
  return { calls: sum("calls"), answers: sum("answers"), connects: sum("connects") };
}

export function budget(width, points, now, clock) {
  const last = points.at(-1);
  const chart = canvas(width, last ? `Drop budget left: ${last.left} calls now, ${points[0].left} at ${clock(points[0].at)}.` : "Not known yet.");
  const lefts = points.map((p) => p.left);
  const lowest = Math.min(0, ...lefts), highest = Math.max(4, ...lefts);
  const step = Math.max(1, stepFor(highest - lowest, 4));
  const low = Math.floor(lowest / step) * step, high = Math.ceil(highest / step) * step;
  const place = (left) => chart.y((left - low) / (high - low));
  const { x0, x1, y0 } = chart.box;
  chart.svg.append(make("rect", { x: x0, y: place(1), width: x1 - x0, height: Math.max(0, y0 - place(1)), class: "spent" }));
  yAxis(chart, low, high, step, "calls", minus);
  const end = Date.parse(now), start = Math.min(end - 300000, Date.parse(points[0]?.at ?? now));
  const part = (at) => (Date.parse(at) - start) / (end - start);
  for (const share of [0, 0.5, 1]) {
    const at = new Date(start + share * (end - start)).toISOString();
    xTick(chart, share, clock(at), share === 0 ? "start" : share === 1 ? "end" : "middle");
  }
  if (!last) {
    nothing(chart, "Not known yet");
    return chart.svg;
  }
  const steps = points.map((p, n) => `${n ? `H${chart.x(part(p.at)).toFixed(1)}` : `M${chart.x(part(p.at)).toFixed(1)} ${place(p.left)}`}V${place(p.left)}`);
  chart.svg.append(make("path", { d: `${steps.join("")}H${x1}`, class: "left" }));
  chart.svg.append(make("circle", { cx: x1, cy: place(last.left), r: 4, class: "left-dot" }));
  return chart.svg;
}
