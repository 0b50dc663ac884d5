// The labelling page as a file. Answers are a list of events in this browser that only ever grows:
// {n, id, answer, seconds, at}, or {n, undo, at} which takes the event of that number back. Their
// numbers give their order, so a clock that jumps changes nothing. Every window of the page reads
// the list before it adds to it, so two windows lose nothing to each other.
"use strict";
const about = JSON.parse(one("#about").textContent);
const ids = Object.keys(about.steps);
let annotator = about.annotator;
let memory = null; // the list itself, where the browser keeps nothing
let shown = null; // the step that is on the page, and the number of the answer it showed
let since = 0;

const hide = (...names) => names.forEach((name) => (one(name).hidden = true));
const place = () => `calm-label ${about.set} ${about.content} ${annotator}`;

function read() {
  if (memory) return memory;
  try {
    const text = localStorage.getItem(place());
    const kept = text ? JSON.parse(text) : {};
    return { events: kept.events || [], matches: kept.matches || {} };
  } catch {
    memory = { events: [], matches: {} };
    tell("This browser keeps nothing: save the file before you close the page.");
    return memory;
  }
}

function write(state) {
  if (memory) {
    memory = state;
    return;
  }
  try {
    localStorage.setItem(place(), JSON.stringify(state));
  } catch {
    memory = state;
    tell("This browser can keep no more: save the file before you close the page.");
  }
}

// What counts: by step the last event that is not undone; `last` is the newest of them all.
function standing(state) {
  const undone = new Set(state.events.filter((e) => e.undo).map((e) => e.undo));
  const current = new Map();
  const history = new Map();
  let last = null;
  for (const e of state.events) {
    if (e.undo) continue;
    history.set(e.id, [...(history.get(e.id) || []), e]);
    if (undone.has(e.n)) continue;
    current.delete(e.id);
    current.set(e.id, e);
    last = e;
  }
  return { current, history, last };
}

function add(event) {
  const state = read();
  const n = 1 + Math.max(0, ...state.events.map((e) => e.n));
  state.events.push({ n, ...event, at: new Date().toISOString() });
  write(state);
}

const words = (answer) => answer.map((a) => a.replace(/^:/, "")).join(" + ");

function tell(text) {
  one("#notice").textContent = text;
  one("#notice").hidden = !text;
}

function answer(values) {
  if (!shown) return;
  const now = standing(read()).current.get(shown.id);
  if ((now ? now.n : 0) !== shown.n) {
    const what = now ? `answered “${words(now.answer)}”` : "took your answer back";
    show(shown.id, `In another window you ${what} meanwhile; this answer was not saved. Answer again to change it.`);
    return;
  }
  const seconds = Math.min((performance.now() - since) / 1000, 86400);
  add({ id: shown.id, answer: values, seconds: Math.round(seconds * 100) / 100 });
  next();
}

function undo() {
  const { last } = standing(read());
  if (!last) return;
  add({ undo: last.n });
  go(last.id);
}

function next() {
  const { current } = standing(read());
  const id = ids.find((id) => !current.has(id));
  go(id || "done");
}

// The step stands in the address, so that the browser's back button goes to the one before; from
// an address without one it leads on, and back leaves the page.
function go(id) {
  if (location.hash && location.hash !== `#${id}`) location.hash = id;
  else if (!location.hash) location.replace(`#${id}`);
  show(id);
}

function header() {
  const { current } = standing(read());
  one("header").hidden = false;
  one("progress").max = ids.length;
  one("progress").value = current.size;
  one("#count").textContent = `${current.size} of ${ids.length}`;
  one(".who").textContent = `as ${annotator}`;
  one("#undo").disabled = !current.size;
}

function show(id, notice = "") {
  tell(notice);
  hide("#name", "#step", "#answers", "#done", "#mine", "#guide", "#saved");
  document.querySelectorAll(".matching").forEach((m) => (m.hidden = id !== "done" && id !== "guide"));
  header();
  shown = null;
  if (id === "mine") return showMine();
  if (id === "guide" || id === "done") {
    one(`#${id}`).hidden = false;
    return undefined;
  }
  const template = ids.includes(id) && one(`template[data-id="${id}"]`);
  if (!template) return next();
  const parts = template.content.cloneNode(true);
  const buttons = parts.querySelector(".buttons");
  const { current, history } = standing(read());
  const now = current.get(id);
  const heading = document.createElement("h2");
  heading.textContent = "What did this step achieve?";
  if (now) {
    const before = history.get(id).map((e) => words(e.answer));
    heading.textContent += ` You answered: ${words(now.answer)}.`;
    if (before.length > 1) heading.textContent += ` (${before.join(", then ")})`;
  }
  one("#answers").replaceChildren(heading, ...buttons.childNodes);
  buttons.remove();
  one("#step").replaceChildren(...parts.childNodes);
  one("#step").hidden = one("#answers").hidden = false;
  one("main").dataset.id = id;
  shown = { id, n: now ? now.n : 0 };
  since = performance.now();
  return undefined;
}

function showMine() {
  const { current } = standing(read());
  const items = [...current.values()].reverse().map((e) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `#${e.id}`;
    link.textContent = about.steps[e.id].action;
    item.append(link, `: ${words(e.answer)}`);
    return item;
  });
  one("#mine ol").replaceChildren(...items);
  one("#mine").hidden = false;
}

function saveFile() {
  const state = read();
  const labels = [...standing(state).current.values()].map((e) => ({
    id: e.id,
    asked: about.steps[e.id].asked,
    achieved: e.answer.filter((a) => !a.startsWith(":")),
    unsure: e.answer.includes(":unsure"),
    seconds: e.seconds,
    at: e.at,
    reads: about.steps[e.id].reads,
  }));
  const file = {
    calm_labels: about.format,
    page: about.page,
    set: about.set,
    annotator,
    labels,
    history: state.events,
    matches: state.matches,
  };
  const link = one("#saved");
  const name = annotator.replace(/[^\p{L}\p{N}_-]+/gu, "-");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(file, null, 1)], { type: "application/json" }));
  link.download = `labels-${name}.json`;
  link.textContent = `${link.download} (${labels.length} labels)`;
  link.hidden = false;
  link.click();
}

choosing(answer, () => false);

document.addEventListener("click", (event) => {
  const button = event.target.closest("header button");
  if (!button) return;
  if (button.id === "undo") undo();
  if (button.id === "list") go("mine");
  if (button.id === "help") {
    if (location.hash === "#guide") next();
    else go("guide");
  }
  if (button.id === "file") saveFile();
});

one("#name").addEventListener("submit", (event) => {
  event.preventDefault();
  annotator = event.target.elements.name.value.trim();
  if (!annotator) return;
  try {
    localStorage.setItem(`calm-label name ${about.set}`, annotator);
  } catch {
    // The next visit asks again.
  }
  next();
});

for (const form of document.querySelectorAll(".matching")) {
  form.addEventListener("change", (event) => {
    const state = read();
    const task = (state.matches[form.dataset.task] ||= {});
    const { name, value } = event.target;
    if (value === "") delete task[name];
    else task[name] = value === ":none" ? null : value;
    write(state);
  });
}

// By the back button or by hand; where the page itself went on, the step is shown already.
window.addEventListener("hashchange", () => {
  const id = location.hash.slice(1);
  if (!shown || shown.id !== id) show(id);
});

// Another window of this page has answered: the counts follow, and the step says so once answered.
window.addEventListener("storage", (event) => {
  if (event.key === place()) header();
});

window.addEventListener("beforeunload", (event) => {
  if (memory && memory.events.length) event.preventDefault();
});

if (!annotator) {
  try {
    annotator = localStorage.getItem(`calm-label name ${about.set}`) || "";
  } catch {
    annotator = "";
  }
}
if (annotator) {
  for (const [task, of] of Object.entries(read().matches)) {
    for (const [name, meant] of Object.entries(of)) {
      const select = one(`.matching[data-task="${CSS.escape(task)}"] select[name="${CSS.escape(name)}"]`);
      if (select) select.value = meant === null ? ":none" : meant;
    }
  }
  const wanted = location.hash.slice(1);
  if (wanted) show(wanted);
  else next();
} else {
  one("#name").hidden = false;
}
