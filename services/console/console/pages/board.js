// The live page: draws the state that came with it, then every state that the socket tells.
import { connect } from "./socket.js";
import { activity, budget, hours, totals } from "./plots.js";

const NOTHING = "–";
const ANNOUNCE_EVERY_MS = 15000;
const MARKS = {
  dialing: "M10 1a9 9 0 1 0 0 18a9 9 0 0 0 0-18zM8 6l6 4l-6 4z",
  limited: "M10 1a9 9 0 1 0 0 18a9 9 0 0 0 0-18zM5 9h10v2H5z",
  waiting: "M10 1a9 9 0 1 0 0 18a9 9 0 0 0 0-18zM7 6h2v8H7zM11 6h2v8h-2z",
  fault: "M10 1L20 19H0zM9 7h2v6H9zM9 15h2v2H9z",
  unknown: "M10 1a9 9 0 1 0 0 18a9 9 0 0 0 0-18zM9 14h2v2H9zM7 7a3 3 0 1 1 4 3v2H9V9h1a1 1 0 1 0-1-2z",
};
const cards = new Map();
const byId = (id) => document.getElementById(id);
let shown = JSON.parse(byId("state").textContent);
let clock = clockOf(shown.zone);
const said = { pending: new Map(), last: new Map(), at: 0, timer: 0 };

function clockOf(zone, options = { hour: "2-digit", minute: "2-digit" }) {
  const format = new Intl.DateTimeFormat("en-GB", { ...options, hourCycle: "h23", timeZone: zone });
  return (at) => format.format(new Date(at));
}

function exactly(at) {
  const seconds = clockOf(shown.zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return `${seconds(at)} ${shown.zone}`;
}

function put(card, name, text) {
  const field = card.fields[name];
  if (field.textContent !== text) field.textContent = text;
}

const number = (value, digits = 0) => (value === null || value === undefined ? NOTHING : value.toFixed(digits));
const percent = (rate, digits = 1) => (rate === null || rate === undefined ? NOTHING : `${(rate * 100).toFixed(digits)} %`);
const outOf = (rate, part, whole) =>
  rate.whole === null ? "not known" : `${rate.part}${part ? ` ${part}` : ""} of ${rate.whole} ${whole}`;

function cardOf(campaign) {
  let card = cards.get(campaign.campaign_id);
  if (card) return card;
  const section = byId("campaign-card").content.cloneNode(true).firstElementChild;
  const fields = Object.fromEntries([...section.querySelectorAll("[data-field]")].map((e) => [e.dataset.field, e]));
  const figures = Object.fromEntries([...section.querySelectorAll("[data-plot]")].map((e) => [e.dataset.plot, e]));
  card = { section, fields, figures, drawn: {} };
  fields.campaign_id.id = `campaign-${campaign.campaign_id}`;
  section.setAttribute("aria-labelledby", fields.campaign_id.id);
  fields.attempts.href = `/campaigns/${campaign.campaign_id}/attempts`;
  for (const figure of Object.values(figures)) {
    figure.querySelector("details").addEventListener("toggle", () => draw(card, true));
    const rows = figure.querySelector(".rows");
    rows.setAttribute("aria-label", `${rows.getAttribute("aria-label")}, ${campaign.campaign_id}`);
  }
  new ResizeObserver(() => draw(card, true)).observe(section.querySelector(".plots"));
  cards.set(campaign.campaign_id, card);
  return card;
}

function show(campaign) {
  const card = cardOf(campaign);
  card.campaign = campaign;
  put(card, "campaign_id", campaign.campaign_id);
  put(card, "of", ` of ${campaign.campaign_id}`);
  put(card, "state", campaign.state.toLowerCase());
  card.fields.state.dataset.state = campaign.state;
  put(card, "about", `${(campaign.mode ?? "").toLowerCase()} · team ${campaign.team_id} · version ${campaign.version}`);
  showHealth(card, campaign.health);
  showTiles(card, campaign);
  showDrops(card, campaign);
  const sums = totals(campaign.minutes);
  for (const what of ["calls", "answers", "connects"]) put(card, `n_${what}`, String(sums[what]));
  put(card, "sources", sourcesOf(campaign.sources));
  draw(card, false);
  return card.section;
}

function showHealth(card, health) {
  card.fields.health.dataset.level = health.level;
  card.fields.mark.setAttribute("d", MARKS[health.level]);
  put(card, "word", `${health.word}.`);
  put(card, "sentence", health.sentence ?? "");
}

function showTiles(card, c) {
  const agents = c.agents;
  const duty = agents && agents.available + agents.reserved + agents.talking + agents.wrapup + agents.no_leg;
  put(card, "agents", number(duty));
  put(card, "agents_sub", agents ? agentWords(agents) : "not known");
  put(card, "live", number(c.live_calls));
  put(card, "live_sub", c.queued_offers === null ? "not known" : `${c.queued_offers} cleared offers wait`);
  put(card, "connect", percent(c.connect.rate));
  put(card, "connect_sub", outOf(c.connect, "", "attempts"));
  put(card, "lines", number(c.lines_per_agent, 1));
  put(card, "lines_sub", `at most ${c.max_lines_per_agent}`);
  put(card, "use", percent(c.utilisation, 0));
  put(card, "use_sub", "talk and wrap-up, of time on duty");
}

function agentWords(agents) {
  const words = { available: "available", reserved: "reserved", talking: "talking", wrapup: "wrap-up", no_leg: "without phone", paused: "paused" };
  const parts = Object.entries(words).filter(([state]) => agents[state]).map(([state, word]) => `${agents[state]} ${word}`);
  return parts.join(" · ") || "nobody is signed in";
}

function showDrops(card, c) {
  put(card, "drop_today", percent(c.drop.today.rate));
  put(card, "drop_today_sub", outOf(c.drop.today, "dropped", "human answers"));
  put(card, "drop_window", percent(c.drop.window.rate));
  const over = c.drop.window.rate !== null && c.abandon_limit !== null && c.drop.window.rate > c.abandon_limit;
  put(card, "drop_window_sub", `${outOf(c.drop.window, "dropped", "human answers")}; ${over ? "over the" : "the"} limit ${over ? "of" : "is"} ${percent(c.abandon_limit)}`);
  card.fields.drop_window.parentElement.classList.toggle("alarm", over);
  const left = c.budget_left_calls;
  put(card, "budget", left === null ? NOTHING : `${String(left).replace("-", "−")} ${Math.abs(left) === 1 ? "call" : "calls"}`);
  put(card, "budget_sub", left !== null && left < 1 ? "spent: one call per free agent" : c.budget_by === "gate" ? "may still be dropped, all its teams together" : "may still be dropped within the limit");
  card.fields.budget.parentElement.classList.toggle("alarm", left !== null && left < 1);
}

function sourcesOf(sources) {
  return Object.entries(sources)
    .map(([name, s]) => {
      if (!s.away) return s.at ? "" : `${name}: not heard yet.`;
      const kept = s.at ? ` Its figures are of ${exactly(s.at)}.` : "";
      return `${s.away} Tried since ${exactly(s.away_since)}.${kept}`;
    })
    .filter(Boolean)
    .join(" ");
}

const PLOTS = {
  activity: {
    data: (c) => c.minutes,
    draw: (width, c) => activity(width, c.minutes, clock),
    heads: ["Minute", "Calls", "Human answers", "Connects"],
    rows: (c) => c.minutes.filter((m) => m.calls || m.answers || m.connects).map((m) => [clock(m.at), m.calls, m.answers, m.connects]),
  },
  hours: {
    data: (c) => c.hours,
    draw: (width, c) => hours(width, c.hours ?? {}),
    heads: ["Hour", "Connects", "Attempts", "Human answers", "Connect rate"],
    rows: (c) => Object.entries(c.hours ?? {}).sort().map(([hour, h]) => [hour === "unknown" ? "not known" : `${hour}:00`, h.connects, h.attempts, h.human_answers, percent(h.connect_rate)]),
  },
  budget: {
    data: (c) => [c.budget, shown.at.slice(0, 16)],
    draw: (width, c) => budget(width, c.budget, shown.at, clock),
    heads: ["At", "Calls left"],
    rows: (c) => c.budget.map((p) => [exactly(p.at), p.left]),
  },
};

function draw(card, anyway) {
  for (const [name, plot] of Object.entries(PLOTS)) {
    const figure = card.figures[name], key = JSON.stringify(plot.data(card.campaign));
    const area = figure.querySelector(".plot"), width = Math.floor(area.clientWidth);
    if (!width || (!anyway && card.drawn[name] === key)) continue;
    card.drawn[name] = key;
    area.replaceChildren(plot.draw(width, card.campaign));
    if (figure.querySelector("details").open) figure.querySelector(".rows").replaceChildren(tableOf(plot, card.campaign));
  }
}

function tableOf(plot, campaign) {
  const table = document.createElement("table"), head = table.createTHead().insertRow(), body = table.createTBody();
  for (const name of plot.heads) head.append(Object.assign(document.createElement("th"), { scope: "col", textContent: name }));
  for (const [first, ...rest] of plot.rows(campaign)) {
    const row = body.insertRow();
    row.append(Object.assign(document.createElement("th"), { scope: "row", textContent: first }));
    for (const value of rest) row.insertCell().textContent = value;
  }
  if (!body.rows.length) body.insertRow().insertCell().textContent = "nothing yet";
  return table;
}

// A screen reader hears what changed, once, and no more often than every 15 seconds.
function say(about, words) {
  const before = said.last.get(about);
  said.last.set(about, words);
  if (before === words || before === undefined) return;
  said.pending.set(about, words);
  clearTimeout(said.timer);
  said.timer = setTimeout(speak, Math.max(0, said.at + ANNOUNCE_EVERY_MS - Date.now()));
}

function speak() {
  said.at = Date.now();
  byId("said").textContent = [...said.pending.values()].join(" ");
  said.pending.clear();
}

function render(state) {
  shown = state;
  clock = clockOf(state.zone);
  const sections = state.campaigns.map(show), list = byId("campaigns");
  byId("empty").hidden = sections.length > 0;
  const known = new Set(state.campaigns.map((c) => c.campaign_id));
  for (const id of [...cards.keys()]) if (!known.has(id)) cards.delete(id);
  if (sections.some((section, n) => list.children[n] !== section) || list.children.length !== sections.length) list.replaceChildren(...sections);
  for (const card of cards.values()) draw(card, false);
  for (const c of state.campaigns) if (c.health.binding) say(c.campaign_id, `${c.campaign_id}: ${c.health.word}. ${c.health.sentence ?? ""}`);
}

function link(state) {
  const mark = byId("link"), text = state === "live" ? `Live · ${exactly(shown.at)}` : `Stale since ${exactly(shown.at)}`;
  mark.dataset.state = state;
  byId("link-text").textContent = text;
  byId("stale").hidden = state === "live";
  byId("stale-text").textContent = `The console does not answer. These figures are of ${exactly(shown.at)}; it is tried again by itself.`;
  document.body.dataset.link = state;
  say("link", state === "live" ? "The page is live again." : "The page is stale: the console does not answer.");
}

said.last.set("link", "The page is live again.");
render(shown);
connect("/v1/board/live", render, link);
