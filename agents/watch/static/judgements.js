// All judgements of a store, a page at a time, and each in full when it is opened.
"use strict";
const form = one("#filter");
const trail = []; // places of the pages before this one
let place = ""; // of this page; "" is the newest
let following = ""; // of the next one
let asking = 0;
let later = 0;
let rest = 0; // until when the newest page is not fetched again unasked, so that it costs little

function verdictWords(judgement) {
  const readable = judgement.verdict === "ok" || judgement.verdict === "repaired";
  if (!readable) return el("b", { class: "bad" }, judgement.verdict);
  const yes = judgement.about.filter((name) => judgement.answers[name]);
  if (judgement.about.length === 1) return el("b", { class: yes.length ? "good" : "" }, yes.length ? "yes" : "no");
  return yes.length ? el("b", { class: "good" }, yes.join(", ")) : el("span", {}, "nothing");
}

function judgementItem(store, judgement) {
  const body = el("div", { class: "body" });
  const asks = judgement.about.length === 1 ? ` ${judgement.about[0]}` : "";
  const differs = judgement.differs.map((who) => el("span", { class: "differs" }, `${who === "engine" ? "the engine says" : "people say"} otherwise`));
  const details = el("details", { class: "judgement", "data-key": `${store}/${judgement.key}` },
    el("summary", {},
      verdictWords(judgement), asks, " ", differs,
      el("span", { class: "soft" }, " ", [judgement.task, judgement.model, judgement.mode].filter(Boolean).join(" · "), " ", time(judgement.at)),
      el("span", { class: "excerpt" }, judgement.text)),
    body);
  details.addEventListener("toggle", async () => {
    if (!details.open || body.firstChild) return;
    try {
      body.replaceChildren(...inFull(await fetched("/judgement", { store, key: judgement.key })));
    } catch (error) {
      body.replaceChildren(el("p", { class: "problem" }, error.refused ? error.message : "No answer from the server."));
    }
  });
  return details;
}

function inFull(judgement) {
  const known = Object.keys(judgement.truth);
  const says = (who, name) => {
    const counts = judgement.truth[who]?.[name];
    return counts ? `yes of ${counts[0]} of ${counts[1]}` : "–";
  };
  const hasOdds = Object.keys(judgement.confidence).length > 0;
  const columns = ["subgoal", "answer"];
  if (hasOdds) columns.push("how likely is a yes");
  columns.push(...known.map((who) => (who === "engine" ? "the engine, of transitions with this text" : "people, of labels")));
  const rows = judgement.about.map((name) => [
    name,
    name in judgement.answers ? (judgement.answers[name] ? el("b", {}, "yes") : "no") : judgement.verdict,
    ...(hasOdds ? [decimal(judgement.confidence[name])] : []),
    ...known.map((who) => says(who, name)),
  ]);
  const pre = (text) => el("pre", { class: "text" }, text);
  const raw = judgement.raw || judgement.refusal;
  return [
    el("h4", {}, "The text it read"), pre(judgement.text),
    el("h4", {}, "How its answer was read", judgement.reason ? `: ${judgement.verdict}, ${judgement.reason}` : ""),
    grid(columns, rows),
    el("h4", {}, "The raw answer"), raw ? pre(raw) : el("p", { class: "soft" }, "empty"),
    judgement.message ? el("details", {}, el("summary", {}, "The whole message"), pre(judgement.message)) : "",
    el("h4", {}, "The prompt as sent"),
    judgement.prompt_note ? el("p", { class: "soft" }, judgement.prompt_note) : "",
    judgement.prompt ? pre(judgement.prompt) : "",
    judgement.prefill ? el("p", { class: "soft" }, "The answer was begun for the model:") : "",
    judgement.prefill ? pre(judgement.prefill) : "",
    el("p", { class: "soft" }, [
      `prompt ${judgement.template} ${judgement.prompt_hash}`, `parameters ${judgement.params}`,
      judgement.sample ? `sample ${judgement.sample}` : "",
      judgement.finish ? `finished: ${judgement.finish}` : "",
      `${number(judgement.prompt_tokens)} + ${number(judgement.completion_tokens)} tokens`, `${decimal(judgement.seconds)} s`,
      judgement.cost === null ? "price not known" : `$${judgement.cost.toFixed(6)}`,
      [judgement.endpoint, judgement.served_by].filter(Boolean).join(", "),
    ].filter(Boolean).join(" · ")),
  ];
}

function query() {
  return Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
}

// Puts items in place of those there, and keeps as they are those that stay, opened or not.
function keep(box, items) {
  const there = new Map([...box.children].map((child) => [child.dataset.key, child]));
  box.replaceChildren(...items.map((item) => there.get(item.dataset.key) ?? item));
}

async function showPage(words = "looking …") {
  const turn = ++asking;
  const wanted = query();
  if (!wanted.store) return;
  if (words) one("#place").textContent = words;
  const start = performance.now();
  let page;
  try {
    page = await fetched("/judgements", { ...wanted, after: place });
  } catch (error) {
    if (turn === asking) one("#place").textContent = error.refused ? error.message : "No answer from the server.";
    return;
  }
  rest = performance.now() + Math.max(3000, 20 * (performance.now() - start));
  if (turn !== asking) return;
  following = page.next;
  keep(one("#judgements"), page.rows.map((row) => judgementItem(wanted.store, row)));
  const end = following ? `looked through ${number(page.looked)} of ${number(page.texts)} texts` : "these are the oldest";
  const many = page.rows.length === 1 ? "1 judgement" : `${page.rows.length} judgements`;
  one("#place").textContent = page.texts || page.rows.length ? `${many}, newest text first; ${end}.` : "The store holds no judgements yet.";
  one("#older").disabled = !following;
  one("#older").textContent = following && page.rows.length === 0 ? "look further" : "older";
  one("#newest").disabled = !place;
}

function choose(select, values, any) {
  const chosen = select.value || new URLSearchParams(location.search).get(select.name) || "";
  const there = [...select.options].map((option) => option.value).filter(Boolean);
  if (there.join("\n") === values.map((value) => value[0]).join("\n")) return;
  const options = values.map(([value, words]) => el("option", { value }, words));
  select.replaceChildren(...(any === null ? [] : [el("option", { value: "" }, any)]), ...options);
  if (values.some(([value]) => value === chosen)) select.value = chosen;
}

// Called with all stores whenever one has changed.
function offerStores(stores) {
  const readable = [...stores].filter(([, store]) => !store.problem && store.classes.length);
  one("#browser").hidden = readable.length === 0;
  if (!readable.length) return;
  choose(form.elements.store, readable.map(([id, store]) => [id, store.path]), null);
  one('[data-name="store"]').hidden = readable.length < 2;
  const { choices } = stores.get(form.elements.store.value) ?? readable[0][1];
  for (const name of ["task", "model", "template", "subgoal", "verdict"]) {
    choose(form.elements[name], choices[name].map((value) => [value, value]), "any");
  }
  const words = { engine: "the engine", people: "people" };
  choose(form.elements.differs, choices.differs.map((value) => [value, words[value]]), "–");
  one('[data-name="differs"]').hidden = choices.differs.length === 0;
  clearTimeout(later);
  if (!place) later = setTimeout(() => place || showPage(""), Math.max(0, rest - performance.now()));
}

form.addEventListener("change", (event) => {
  place = "";
  const wanted = new URLSearchParams(query());
  history.replaceState(null, "", `?${wanted}`);
  if (event.target.name === "store") window.dispatchEvent(new Event("store"));
  one("#judgements").replaceChildren();
  showPage();
});
form.addEventListener("submit", (event) => event.preventDefault());
one("#older").addEventListener("click", () => {
  place = following;
  showPage().then(() => one("#place").scrollIntoView());
});
one("#newest").addEventListener("click", () => {
  place = "";
  showPage().then(() => one("#place").scrollIntoView());
});
const says = new URLSearchParams(location.search).get("says");
if (says) form.elements.says.value = says;
