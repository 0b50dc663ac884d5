// How an answer is chosen by key, click or touch, for the served page and for the file alike.
"use strict";

const one = (selector) => document.querySelector(selector);

// Calls `answer(values)` once a subgoal, several of them, none or unsure is chosen.
function choosing(answer, busy) {
  function choose(button) {
    const several = one("#several");
    if (several && several.checked && !button.value.startsWith(":")) {
      button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
    } else {
      answer([button.value]);
    }
  }

  function save() {
    const chosen = [...document.querySelectorAll('#answers [aria-pressed="true"]')].map((b) => b.value);
    if (chosen.length) answer(chosen);
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("#answers")) return;
    event.preventDefault();
    if (event.submitter) choose(event.submitter);
  });

  document.addEventListener("change", (event) => {
    if (event.target.id !== "several") return;
    one("#save").hidden = !event.target.checked;
    document.querySelectorAll("#answers [aria-pressed]").forEach((b) => b.removeAttribute("aria-pressed"));
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("#save")) save();
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || busy()) return;
    if (event.target.matches("input:not([type=checkbox]), select, textarea")) return;
    const several = one("#several");
    if (event.key === "Enter" && several && several.checked) {
      event.preventDefault();
      save();
      return;
    }
    const target = [...document.querySelectorAll(`main [data-key="${CSS.escape(event.key)}"]`)].find(
      (element) => !element.disabled && element.offsetParent !== null,
    );
    if (!target) return;
    event.preventDefault();
    target.click();
  });
}
