"use strict";
// What pages that are served share. Text enters a page through textContent and nowhere else.

const token = document.querySelector('meta[name="gapless-token"]').content;
const facts = JSON.parse(document.getElementById("facts").textContent);
const byId = (id) => document.getElementById(id);

// Documents of a door, one at a time; the door's work ends with `signal`.
async function* ask(door, sent, signal) {
  const headers = { "Content-Type": "application/json", "X-Gapless-Token": token };
  const answer = await fetch(door, { method: "POST", headers, body: JSON.stringify(sent), signal, cache: "no-store" });
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += done ? "" : decoder.decode(value, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
    if (done) break;
  }
  if (rest) yield JSON.parse(rest);
}

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

// A canvas at the screen's resolution, cleared; gives context, width and height in CSS pixels.
function sheet(canvas) {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const draw = canvas.getContext("2d");
  draw.setTransform(ratio, 0, 0, ratio, 0, 0);
  draw.clearRect(0, 0, width, height);
  draw.font = "12px Arial, Helvetica, 'Liberation Sans', sans-serif";
  return { draw, width, height };
}

function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function percent(share) {
  return (100 * share).toFixed(1) + " %";
}
