// Asks every two seconds what has changed, and shows that; ends quietly when the server has ended.
"use strict";
const EVERY = 2000; // ms
const PATIENCE = 3; // answers in a row that may fail to come
const sections = new Map();
let boot = "";
let version = 0;
let failures = 0;
let timer = 0;

function say(words, state) {
  one("#status").textContent = words;
  one("#status").className = state;
}

async function look() {
  clearTimeout(timer);
  let changes;
  try {
    changes = await fetched("/state", { boot, since: version });
  } catch (error) {
    failures += 1;
    if (error.refused) return say(`The server refuses: ${error.message}`, "ended");
    if (failures >= PATIENCE) return ended();
    timer = setTimeout(look, EVERY);
    return;
  }
  failures = 0;
  take(changes);
  say(`live · last look ${new Date().toLocaleTimeString("en-GB")}`, "live");
  if (!document.hidden) timer = setTimeout(look, EVERY);
}

function ended() {
  const again = el("button", { type: "button", onclick: () => { failures = 0; look(); } }, "look again");
  say(`calm watch has ended; this is what there was at ${new Date().toLocaleTimeString("en-GB")}. `, "ended");
  one("#status").append(again);
}

function take(changes) {
  if (changes.boot !== boot) sections.clear();
  boot = changes.boot;
  version = changes.version;
  const changed = Object.keys(changes.sections);
  if (!changed.length) return;
  for (const [id, section] of Object.entries(changes.sections)) {
    if (section === null) sections.delete(id);
    else sections.set(id, section);
  }
  const of = (kind) => [...sections].filter(([id]) => id.startsWith(`${kind}:`));
  const groups = of("group").filter(([id, group]) => changed.includes(id) || group.runs.some((run) => changed.includes(run)));
  for (const [id, group] of groups) put(one("#groups"), id, groupSection(id, group, sections));
  const grouped = new Set(of("group").flatMap(([, group]) => group.runs));
  for (const [id, run] of of("run")) {
    if (!grouped.has(id)) put(one("#groups"), id, el("section", {}, el("h2", {}, run.title), el("p", { class: "problem" }, run.problem)));
    else drop(id);
  }
  for (const [id, store] of of("store")) if (changed.includes(id)) put(one("#stores"), id, storeSection(id, store));
  for (const [id, one_] of of("evaluation")) if (changed.includes(id)) put(one("#outcomes"), id, evaluationSection(one_));
  for (const [id, one_] of of("answers")) if (changed.includes(id)) put(one("#outcomes"), id, answersSection(one_));
  for (const id of changed) if (!sections.has(id)) drop(id);
  if (changed.some((id) => id.startsWith("store:"))) offerStores(new Map(of("store")));
}

function sectionOf(id) {
  return [...document.querySelectorAll("main section[data-id]")].find((section) => section.dataset.id === id);
}

function drop(id) {
  sectionOf(id)?.remove();
}

// Puts a section in the place of its former self; what was opened stays open, pictures don't blink.
function put(box, id, section) {
  section.dataset.id = id;
  const former = sectionOf(id);
  if (!former) {
    box.append(section);
    return;
  }
  const open = new Map([...former.querySelectorAll("details[open][data-key]")].map((details) => [details.dataset.key, details]));
  for (const details of section.querySelectorAll("details[data-key]")) {
    const before = open.get(details.dataset.key);
    if (!before) continue;
    if (before.classList.contains("judgement")) details.replaceWith(before);
    else details.open = true; // its toggle event fills it
  }
  const pictures = new Map([...former.querySelectorAll("img")].map((image) => [image.getAttribute("src"), image]));
  for (const image of section.querySelectorAll("img")) {
    const before = pictures.get(image.getAttribute("src"));
    if (before) image.replaceWith(before);
  }
  former.replaceWith(section);
}

window.addEventListener("store", () => offerStores(new Map([...sections].filter(([id]) => id.startsWith("store:")))));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && failures < PATIENCE) look();
});
look();
