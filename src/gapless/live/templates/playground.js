const form = byId("controls");
const names = Array.from(form.elements, (e) => e.name).filter(Boolean);
let begin = null, frames = [], before = [], first = null, last = null, plane = null, doubts = null, varied = null;
let running = null, challenge = null, waiting = 0, dirty = false;
let started = 0, finished = 0; // trainings

// ── what is set ──

function stops(input) {
  return input.dataset.stops.split(" ").map(Number);
}

function setting(name) {
  const input = form.elements[name];
  if (input.type === "checkbox") return input.checked;
  return input.type === "range" ? stops(input)[Number(input.value)] : input.value;
}

function put(name, value) {
  const input = form.elements[name];
  if (input.type === "checkbox") input.checked = value;
  else if (input.type === "range") input.value = Math.max(0, stops(input).indexOf(value));
  else input.value = value;
}

const SHARES = ["flipped", "hidden", "input", "scale", "shift", "smoothing"];

function words(name) {
  const value = setting(name);
  if (SHARES.includes(name)) return Math.round(100 * value) + " %";
  return String(value);
}

function kind() {
  const data = setting("data");
  return data === "digits" ? "image" : data === "own" ? facts.own : "table";
}

function tell() {
  for (const name of names) {
    const output = byId(name + "-value");
    if (!output) continue;
    output.textContent = words(name);
    form.elements[name].setAttribute("aria-valuetext", words(name));
  }
  for (const box of document.querySelectorAll("[data-for]")) box.hidden = box.dataset.for !== kind();
}

function settings() {
  return Object.fromEntries(names.map((name) => [name, setting(name)]));
}

// ── training ──

function say(text, bad) {
  byId("state").textContent = text;
  byId("state").className = bad ? "bad" : "";
}

async function train() {
  if (running) running.abort();
  const mine = running = new AbortController();
  if (frames.length > 1) before = frames;
  frames = [];
  started += 1;
  begin = first = last = plane = doubts = varied = null;
  tell();
  say("Training …");
  try {
    for await (const found of ask("/train", settings(), mine.signal)) {
      if (running !== mine) return;
      take(found);
    }
    if (running === mine && byId("state").textContent === "Training …") say("The terminal ended the training.", true);
  } catch (error) {
    if (running === mine && error.name !== "AbortError") say("gapless no longer answers: start it again in the terminal.", true);
  }
}

function take(found) {
  if (found.error) return say(found.error, true);
  if (found.end) return ended(found);
  if (found.recipe !== undefined) {
    begin = found;
    first = found;
    byId("recipe").textContent = found.recipe;
    byId("model").textContent = `${found.model}, ${found.parameters.toLocaleString("en")} weights; ${found.rows.toLocaleString("en")} rows, ${found.new_rows.toLocaleString("en")} new ones`;
    if (!found.doubt) byId("doubt-right").textContent = byId("doubt-wrong").textContent = "needs dropout";
    if (!setting("batchnorm")) byId("noise").textContent = "without batch norm there is none";
  }
  last = found;
  frames.push({ epoch: found.epoch, train: found.train, new: found.new });
  if (found.plane) plane = bytes(found.plane);
  if (found.doubts) doubts = bytes(found.doubts);
  if (found.varied) varied = found.varied;
  if (found.doubt) {
    const said = (v) => (v === null ? "there are none" : v.toFixed(3) + " bits");
    byId("doubt-right").textContent = said(found.doubt[0]);
    byId("doubt-wrong").textContent = said(found.doubt[1]);
  }
  if (found.noise !== undefined) byId("noise").textContent = `a batch's mean is off by ${found.noise.toFixed(2)} standard deviations`;
  if (!dirty) {
    dirty = true;
    requestAnimationFrame(show);
  }
}

function ended(found) {
  finished = started;
  if (found.end === "replaced") return say("Another page trains now: one network at a time.");
  if (found.end === "diverged") return say(found.why, true);
  const gap = 100 * (found.train - found.new);
  say(`Done: ${percent(found.train)} of training rows right, ${percent(found.new)} of new ones, a gap of ${gap.toFixed(1)} points.`);
  judge(found);
  show();
}

// ── challenges ──

function judge(found) {
  for (const c of facts.challenges) {
    const same = challenge === c.name && c.fixed.every((name) => setting(name) === (c.settings[name] ?? facts.defaults[name]));
    if (!same) {
      if (challenge === c.name) byId("met-" + c.name).textContent = "The data was changed: press the button to set it up again.";
      continue;
    }
    const gap = 100 * (found.train - found.new);
    const left = [];
    if (c.train !== null && found.train < c.train) left.push(`training rows ${percent(found.train)}, wanted ${percent(c.train)}`);
    if (c.new !== null && found.new < c.new) left.push(`new rows ${percent(found.new)}, wanted ${percent(c.new)}`);
    if (c.widest !== null && gap > c.widest) left.push(`gap ${gap.toFixed(1)} points, wanted at most ${c.widest}`);
    if (c.narrowest !== null && gap < c.narrowest) left.push(`gap ${gap.toFixed(1)} points, wanted at least ${c.narrowest}`);
    byId("met-" + c.name).textContent = left.length ? "Not yet: " + left.join("; ") + "." : "Done. Copy the recipe, or try another seed.";
  }
}

for (const button of document.querySelectorAll("[data-challenge]")) {
  button.addEventListener("click", () => {
    challenge = button.dataset.challenge;
    const chosen = facts.challenges.find((c) => c.name === challenge);
    for (const name of names) put(name, name in chosen.settings ? chosen.settings[name] : facts.defaults[name]);
    for (const box of document.querySelectorAll(".challenge")) box.classList.toggle("is-set", box.contains(button));
    byId("met-" + challenge).textContent = "Set up. Now move the sliders.";
    before = [];
    train();
    byId("state").scrollIntoView({ block: "nearest" });
  });
}

// ── drawing ──

function show() {
  dirty = false;
  if (!last) return;
  byId("train").textContent = percent(last.train);
  byId("new").textContent = percent(last.new);
  byId("gap").textContent = (100 * (last.train - last.new)).toFixed(1);
  byId("epoch").textContent = `${last.epoch} of ${setting("epochs")}`;
  byId("doubt-switch").hidden = !doubts;
  if (begin.points) drawPlane();
  else if (begin.pictures) drawPictures();
  else drawNothing();
  drawCurves();
  drawNorms();
}

const SIDE = facts.side, REACH = facts.reach;
const dots = document.createElement("canvas");
dots.width = dots.height = SIDE;

function rgb(hex) {
  const value = parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

function drawPlane() {
  const { draw, width, height } = sheet(byId("view"));
  const doubtful = byId("doubts").checked && doubts;
  const shades = doubtful ? doubts : plane;
  const a = rgb(color(doubtful ? "paper" : "plain")), b = rgb(color(doubtful ? "bad" : "best")), paper = rgb(color("paper"));
  const ink = dots.getContext("2d"), image = ink.createImageData(SIDE, SIDE);
  shades.forEach((shade, i) => {
    const p = doubtful ? Math.min(1, shade / 128) : shade / 255;
    for (let k = 0; k < 3; k++) image.data[4 * i + k] = 0.5 * paper[k] + 0.5 * (a[k] + p * (b[k] - a[k]));
    image.data[4 * i + 3] = 255;
  });
  ink.putImageData(image, 0, 0);
  draw.imageSmoothingEnabled = true;
  draw.drawImage(dots, 0, 0, width, height);
  const at = (x, y) => [((x + REACH) / (2 * REACH)) * width, ((REACH - y) / (2 * REACH)) * height];
  const mark = (rows, size, filled) => rows.x.forEach(([x, y], i) => {
    draw.beginPath();
    draw.arc(...at(x, y), size, 0, 7);
    draw.fillStyle = draw.strokeStyle = color(rows.y[i] ? "best" : "plain");
    if (filled) {
      draw.fill();
      draw.strokeStyle = color("paper");
      draw.lineWidth = 1.2;
    } else draw.lineWidth = 1;
    draw.stroke();
  });
  mark(begin.new_points, 2.2, false);
  mark(begin.points, 5, true);
  byId("view-caption").textContent = doubtful ? "Where passes with dropout disagree: up to half a bit" : "What the network says all over the plane";
  byId("view-key").textContent = "Large points: training rows. Small rings: new rows.";
}

function drawPictures() {
  const found = varied || begin.pictures;
  const { draw, width, height } = sheet(byId("view"));
  const data = bytes(found.bytes), each = found.height * found.width * found.channels;
  const across = Math.ceil(Math.sqrt(found.count)), down = Math.ceil(found.count / across);
  const room = Math.min(width / across, height / down), size = room - 8;
  const small = document.createElement("canvas");
  small.width = found.width;
  small.height = found.height;
  draw.imageSmoothingEnabled = false;
  for (let n = 0; n < found.count; n++) {
    const image = new ImageData(found.width, found.height);
    for (let i = 0; i < found.height * found.width; i++) {
      for (let k = 0; k < 3; k++) image.data[4 * i + k] = data[n * each + i * found.channels + (found.channels === 3 ? k : 0)];
      image.data[4 * i + 3] = 255;
    }
    small.getContext("2d").putImageData(image, 0, 0);
    draw.drawImage(small, (n % across) * room + 4, Math.floor(n / across) * room + 4, size, size);
  }
  byId("view-caption").textContent = "Training pictures as the network gets them";
  byId("view-key").textContent = "The same pictures in every epoch, varied anew; mixup comes after this.";
}

function drawNothing() {
  const { draw, height } = sheet(byId("view"));
  draw.fillStyle = color("soft");
  draw.fillText("A table of many columns has no plane to draw.", 16, height / 2);
  byId("view-key").textContent = "";
}

function drawCurves() {
  const { draw, width, height } = sheet(byId("curves"));
  const left = 40, right = width - 10, top = 12, bottom = height - 26;
  const all = [...frames, ...before];
  const low = Math.max(0, Math.floor(10 * Math.min(0.9, ...all.map((f) => Math.min(f.train, f.new)))) / 10);
  const most = Math.max(setting("epochs"), 1);
  const x = (epoch) => left + (epoch / most) * (right - left), y = (share) => bottom - ((share - low) / (1 - low)) * (bottom - top);
  draw.lineWidth = 1;
  for (let share = low; share <= 1.001; share += low < 0.5 ? 0.2 : 0.1) {
    draw.strokeStyle = color("line");
    draw.beginPath();
    draw.moveTo(left, y(share));
    draw.lineTo(right, y(share));
    draw.stroke();
    draw.fillStyle = color("soft");
    draw.textAlign = "right";
    draw.fillText(Math.round(100 * share) + " %", left - 5, y(share) + 4);
  }
  draw.textAlign = "center";
  for (const part of [0, 0.5, 1]) draw.fillText(Math.round(part * most), Math.min(right - 12, x(part * most) + (part ? 0 : 4)), height - 8);
  const path = (points, key) => points.forEach((f, i) => (i ? draw.lineTo(x(f.epoch), y(f[key])) : draw.moveTo(x(f.epoch), y(f[key]))));
  draw.save();
  draw.beginPath();
  frames.forEach((f, i) => (i ? draw.lineTo(x(f.epoch), y(f.train)) : draw.moveTo(x(f.epoch), y(f.train))));
  [...frames].reverse().forEach((f) => draw.lineTo(x(f.epoch), y(f.new)));
  draw.closePath();
  draw.globalAlpha = 0.16;
  draw.fillStyle = color("bad");
  draw.fill();
  draw.restore();
  const line = (points, key, shade, wide) => {
    draw.beginPath();
    path(points, key);
    draw.strokeStyle = color(shade);
    draw.lineWidth = wide;
    draw.stroke();
  };
  line(before.filter((f) => f.epoch <= most), "new", "soft", 1.2);
  line(frames, "train", "plain", 2);
  line(frames, "new", "best", 2);
  byId("curves").setAttribute("aria-label", `After epoch ${last.epoch}: ${percent(last.train)} right on training rows, ${percent(last.new)} on new rows`);
}

function drawNorms() {
  const { draw, width, height } = sheet(byId("norms"));
  const rows = last.norms.slice(0, 8), most = Math.max(...rows.map((r) => r[1]), ...first.norms.map((r) => r[1]), 1e-9);
  const step = (height - 14) / rows.length, left = 84, room = width - left - 56;
  rows.forEach(([name, length], i) => {
    const y = 9 + i * step, high = Math.min(18, step - 6);
    draw.fillStyle = color("soft");
    draw.textAlign = "right";
    draw.fillText(name.slice(-12), left - 8, y + high / 2 + 4);
    draw.fillStyle = color("link");
    draw.globalAlpha = 0.7;
    draw.fillRect(left, y, (length / most) * room, high);
    draw.globalAlpha = 1;
    draw.fillStyle = color("ink");
    draw.fillRect(left + (first.norms[i][1] / most) * room, y - 2, 2, high + 4);
    draw.textAlign = "left";
    draw.fillText(length.toFixed(1), left + Math.max(length, first.norms[i][1]) / most * room + 7, y + high / 2 + 4);
  });
  byId("norms").setAttribute("aria-label", "Length of weights by layer: " + rows.map(([n, v]) => `${n} ${v.toFixed(1)}`).join(", "));
}

// ── what the reader does ──

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", (event) => {
  if (event.target.name === "data") {
    put("batch", kind() === "image" ? 32 : 16);
    put("lr", kind() === "image" ? 0.003 : 0.01);
    put("epochs", kind() === "image" ? 100 : 200);
    before = frames = [];
  }
  tell();
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    waiting = 0;
    train();
  }, 150);
});
byId("again").addEventListener("click", train);
byId("stop").addEventListener("click", () => {
  if (running) running.abort();
  running = null;
  say("Stopped.");
});
byId("off").addEventListener("click", () => {
  for (const name of facts.pillars) put(name, facts.defaults[name]);
  train();
});
byId("doubts").addEventListener("change", show);
addEventListener("resize", show);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
tell();
train();
