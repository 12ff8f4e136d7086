let seen = null, told = "";

function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function fixed(score) {
  return seen.share ? percent(score) : score.toPrecision(4);
}

function line(text) {
  const item = document.createElement("li");
  item.textContent = text;
  return item;
}

function say(text, bad) {
  if (text === told) return;
  told = text;
  byId("state").textContent = text;
  byId("state").className = bad ? "bad" : "";
}

function show(found) {
  seen = found;
  const tune = found.kind === "tune";
  byId("title").textContent = `${tune ? "Tuning" : "Diagnosing"} ${found.about.model || "a model"} on ${found.about.task || "data"}`;
  const still = found.quiet > 120 && !found.ended;
  say(still ? `No news for ${Math.round(found.quiet / 60)} minutes: stopped, or in a long training. Last: ${found.phase}.` : `Now: ${found.phase}.`);
  const running = !found.ended && !still ? found.quiet : 0;
  byId("spent").textContent = clock(found.spent + running);
  const left = found.planned === null ? null : found.planned - found.spent - running;
  byId("left-name").textContent = found.planned === null ? "time left" : `left of ${clock(found.planned)} planned`;
  byId("left").textContent = found.ended ? "0:00" : left === null ? "not known" : left < 0 ? "over" : clock(left);
  byId("finished").textContent = found.counts.finished;
  byId("others").textContent = `${found.counts.stopped}, ${found.counts.failed}`;
  const proof = Object.entries(found.proof);
  byId("trying").replaceChildren(
    ...found.trying.map((t) => line(`${t.summary}, learning rate ${t.lr} (${t.origin})${t.epoch ? `, past epoch ${t.epoch} of ${t.epochs}` : ""}`)),
    ...(proof.length && !found.ended ? [line("Trained for the verdict so far: " + proof.map(([name, n]) => `${name} ${n}`).join(", "))] : []),
  );
  byId("trying-section").hidden = !byId("trying").children.length;
  byId("verdict").hidden = !found.verdict;
  if (found.verdict) {
    const v = found.verdict, points = (x) => (found.share ? (100 * x).toFixed(1) : x.toPrecision(3));
    byId("verdict").textContent = `Verdict: ${v.word}. Gain ${points(v.mean)}${found.share ? " points" : ""} (95 % interval ${points(v.low)} to ${points(v.high)}). The whole of it: report.html in the folder.`;
  }
  byId("found").replaceChildren(...found.found.map(line));
  byId("found-section").hidden = !found.found.length;
  byId("race-title").textContent = tune ? "The race" : "Trainings";
  byId("points-caption").textContent = "Score of every finished training" + (tune ? ", and the best so far" : "");
  byId("race-key").textContent = tune ? "By the mean score on rows that rank recipes, which boasts: the verdict is made on other rows." : "The latest first.";
  byId("race").replaceChildren(...found.race.map(row));
  byId("courses-figure").hidden = !found.courses.length;
  drawPoints(found.points);
  drawCourses(found.courses);
}

function row(r) {
  const made = document.createElement("tr");
  made.className = r.best ? "is-best" : r.plain ? "is-plain" : "";
  const cells = [r.score === null ? "failed" : fixed(r.score), r.train === null ? "" : fixed(r.train), r.times, r.summary, r.lr, r.epochs, r.origin];
  made.append(...cells.map((text) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    return cell;
  }));
  return made;
}

// Axes of a chart; gives where a point lies.
function axes(canvas, xs, ys, across) {
  const { draw, width, height } = sheet(canvas);
  const left = 52, right = width - 12, top = 12, bottom = height - 28;
  let low = Math.min(...ys), high = Math.max(...ys);
  if (high - low < 1e-9) [low, high] = [low - 0.05, high + 0.05];
  const most = Math.max(...xs, 1e-9);
  const x = (v) => left + (v / most) * (right - left), y = (v) => bottom - ((v - low) / (high - low)) * (bottom - top);
  draw.lineWidth = 1;
  for (let i = 0; i <= 4; i++) {
    const v = low + (i / 4) * (high - low);
    draw.strokeStyle = color("line");
    draw.beginPath();
    draw.moveTo(left, y(v));
    draw.lineTo(right, y(v));
    draw.stroke();
    draw.fillStyle = color("soft");
    draw.textAlign = "right";
    draw.fillText(fixed(v), left - 5, y(v) + 4);
  }
  draw.textAlign = "center";
  for (const part of [0, 0.5, 1]) draw.fillText(across(part * most), Math.min(right - 14, x(part * most)), height - 9);
  return { draw, x, y };
}

function drawPoints(points) {
  if (!points.length) return sheet(byId("points"));
  const { draw, x, y } = axes(byId("points"), points.map((p) => p[0]), points.map((p) => p[1]), clock);
  let best = -Infinity;
  draw.beginPath();
  points.forEach(([at, score], i) => {
    if (i) draw.lineTo(x(at), y(best));
    best = Math.max(best, score);
    if (i) draw.lineTo(x(at), y(best));
    else draw.moveTo(x(at), y(best));
  });
  draw.strokeStyle = color("soft");
  draw.lineWidth = 1.5;
  if (seen.kind === "tune") draw.stroke();
  for (const [at, score, plain] of points) {
    draw.beginPath();
    draw.arc(x(at), y(score), 3.5, 0, 7);
    draw.fillStyle = color(plain ? "plain" : "best");
    draw.fill();
  }
  byId("points").setAttribute("aria-label", `${points.length} finished trainings, the best score so far ${fixed(best)}`);
}

function drawCourses(courses) {
  if (!courses.length) return;
  const all = courses.flatMap((c) => c.rungs);
  const { draw, x, y } = axes(byId("courses"), all.map((p) => p[0]), all.map((p) => p[1]), (v) => String(Math.round(v)));
  draw.globalAlpha = 0.6;
  for (const c of courses) {
    draw.beginPath();
    c.rungs.forEach(([epoch, score], i) => (i ? draw.lineTo(x(epoch), y(score)) : draw.moveTo(x(epoch), y(score))));
    draw.strokeStyle = color(c.plain ? "plain" : "best");
    draw.lineWidth = 1.5;
    draw.stroke();
  }
  draw.globalAlpha = 1;
  byId("courses").setAttribute("aria-label", `Score by epoch of the latest ${courses.length} trainings`);
}

async function watch() {
  let wait = 1000;
  try {
    for await (const found of ask("/state", {})) {
      if (found.error) say(found.error, true);
      else show(found);
    }
    if (seen && seen.verdict) wait = 5000;
  } catch {
    say("gapless no longer answers: start gapless view again in the terminal.", true);
    wait = 3000;
  }
  setTimeout(watch, wait);
}

addEventListener("resize", () => seen && show(seen));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => seen && show(seen));
watch();
