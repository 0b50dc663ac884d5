// Builds elements. What comes from games, models and files goes in as text, never as HTML.
"use strict";
const base = document.body.dataset.base;

function one(selector, within = document) {
  return within.querySelector(selector);
}

function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

// A table; on a phone each row becomes a block, and its cells say what they are.
function grid(columns, rows, caption = "") {
  const head = el("thead", {}, el("tr", {}, columns.map((name) => el("th", { scope: "col" }, name))));
  const body = rows.map((cells) =>
    el("tr", {}, cells.map((cell, i) => el("td", { "data-label": columns[i] }, el("span", {}, cell)))),
  );
  return el("table", { class: "grid" }, caption ? el("caption", {}, caption) : null, head, el("tbody", {}, body));
}

const number = (value) => (value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en"));
const share = (value) => (value === null || value === undefined ? "–" : `${Math.round(100 * value)} %`);
const decimal = (value, digits = 2) => (value === null || value === undefined ? "–" : value.toFixed(digits));
const dollars = (cost, unpriced = 0) => (unpriced ? "price not known" : `$${cost.toFixed(4)}`);

function time(iso) {
  return iso ? el("time", { datetime: iso, title: iso }, new Date(iso).toLocaleTimeString("en-GB")) : "";
}

async function fetched(path, query) {
  const response = await fetch(`${base}${path}?${new URLSearchParams(query)}`);
  if (!response.ok) {
    const error = new Error(await response.text());
    error.refused = true;
    throw error;
  }
  return response.json();
}
