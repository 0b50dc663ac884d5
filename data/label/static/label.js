// Answers that are never lost: one that could not be saved stays in the browser and is sent again
// until the server has it. Without this script the page works by its plain forms.
"use strict";
const base = document.body.dataset.base;
const waiting = "calm-label-waiting";
let shown = performance.now();
let busy = false;

async function post(path, body) {
  const response = await fetch(base + path, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", "x-part": "main" },
    body,
  });
  const text = await response.text();
  // 409: answered in another window meanwhile; the page that comes back says so.
  if (response.ok || response.status === 409) return text;
  const error = new Error(text);
  error.refused = response.status < 500;
  throw error;
}

function show(html) {
  // Our own server's template, which escapes all text; the policy forbids inline scripts besides.
  const next = new DOMParser().parseFromString(html, "text/html").querySelector("main");
  one("main").replaceWith(next);
  one("#trouble").hidden = true;
  shown = performance.now();
}

async function send(path, body) {
  if (busy) return;
  busy = true;
  if (path === "/label") localStorage.setItem(waiting, body);
  for (;;) {
    try {
      const html = await post(path, body);
      localStorage.removeItem(waiting);
      show(html);
      break;
    } catch (error) {
      const trouble = one("#trouble");
      trouble.hidden = false;
      if (error.refused) {
        localStorage.removeItem(waiting);
        trouble.textContent = `Not saved: ${error.message}`;
        break;
      }
      trouble.textContent = "Not saved yet: no answer from the server. Trying again; your answer is kept.";
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
  busy = false;
}

function answer(values) {
  const form = one("#answers");
  const body = new URLSearchParams();
  body.set("id", form.elements.id.value);
  body.set("nonce", form.elements.nonce.value);
  body.set("replaces", form.elements.replaces.value);
  body.set("seconds", Math.min((performance.now() - shown) / 1000, 86400).toFixed(2));
  for (const value of values) body.append("answer", value);
  send("/label", body.toString());
}

choosing(answer, () => busy);

document.addEventListener("submit", (event) => {
  if (event.target.matches("#answers")) return;
  event.preventDefault();
  send("/undo", new URLSearchParams(new FormData(event.target)).toString());
});

// An answer that was under way when the page was closed.
const left = localStorage.getItem(waiting);
if (left) send("/label", left);
