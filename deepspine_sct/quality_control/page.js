// The page of deepspine.html: a list to walk through, the pictures of one entry, and marks.
"use strict";

const entries = JSON.parse(document.getElementById("entries").textContent);
const MARKS = ["pass", "fail", "artifact"];
const KEYS = { p: "pass", x: "fail", a: "artifact" };
const DOUBT_BELOW = 0.9;
const COLUMNS = [
  { title: "mark", value: (entry) => marks[entry.id] || "" },
  { title: "data set", value: (entry) => entry.dataset },
  { title: "subject", value: (entry) => entry.subject },
  { title: "contrast", value: (entry) => entry.contrast },
  { title: "image", value: (entry) => entry.file },
  { title: "discs", value: (entry) => entry.span },
  { title: "weakest", value: (entry) => entry.weakest, number: true },
  { title: "level", value: (entry) => entry.level_confidence, number: true },
  { title: "date", value: (entry) => entry.date },
];
// Marks stay in this browser, under the address of the page.
const STORE = "deepspine:" + location.pathname;

let marks = load();
let selected = null;
let order = { column: COLUMNS.length - 1, down: true };

const byId = (id) => document.getElementById(id);
const body = byId("rows");
const search = byId("search");
const wanted = byId("wanted");

function load() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) || {};
  } catch {
    return {};
  }
}

function save() {
  try {
    localStorage.setItem(STORE, JSON.stringify(marks));
  } catch {
    byId("count").title = "This browser keeps no marks: export them before you leave.";
  }
}

// Text from outside goes into the page by textContent alone.
function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function show(value, number) {
  return number && typeof value === "number" ? value.toFixed(2) : String(value);
}

function isDoubtful(entry) {
  return entry.damaged || entry.warnings.length > 0 || entry.level_confidence < DOUBT_BELOW;
}

function fill(row, entry) {
  row.replaceChildren();
  for (const { title, value, number } of COLUMNS) {
    const cell = make("td", show(value(entry), number), number ? "number" : "");
    if (title === "mark" && marks[entry.id]) cell.className = "mark " + marks[entry.id];
    if (number && value(entry) < DOUBT_BELOW) cell.classList.add("doubt");
    row.append(cell);
  }
  row.classList.toggle("selected", entry === selected);
}

function matches(entry) {
  const mark = marks[entry.id] || "none";
  const kind = wanted.value;
  if (kind === "doubtful" ? !isDoubtful(entry) : kind !== "all" && kind !== mark) return false;
  const text = COLUMNS.map(({ value }) => value(entry)).join(" ") + " " + entry.warnings.join(" ");
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every((word) => text.toLowerCase().includes(word));
}

function refresh() {
  for (const entry of entries) entry.row.hidden = !matches(entry);
  const counts = { pass: 0, fail: 0, artifact: 0 };
  for (const entry of entries) if (marks[entry.id]) counts[marks[entry.id]] += 1;
  const visible = entries.filter((entry) => !entry.row.hidden).length;
  byId("count").textContent =
    `${visible} of ${entries.length} scans` + MARKS.map((m) => `, ${counts[m]} ${m}`).join("");
  for (const mark of MARKS) byId("save-" + mark).disabled = counts[mark] === 0;
}

function sort(column) {
  order = { column, down: order.column === column && !order.down };
  const { value } = COLUMNS[column];
  const sign = order.down ? -1 : 1;
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  entries.sort((a, b) => sign * compare(value(a), value(b)));
  body.replaceChildren(...entries.map((entry) => entry.row));
}

function select(entry) {
  const last = selected;
  selected = entry;
  for (const changed of [last, entry]) if (changed) fill(changed.row, changed);
  entry.row.scrollIntoView({ block: "nearest" });
  byId("shown").replaceChildren(...(entry.damaged ? [] : describe(entry)));
  const next = neighbour(1);
  if (next) for (const source of Object.values(next.pictures)) new Image().src = source;
}

function neighbour(step) {
  const visible = entries.filter((entry) => !entry.row.hidden);
  return visible[visible.indexOf(selected) + step];
}

function describe(entry) {
  const parts = [make("h2", [entry.dataset, entry.subject, entry.contrast, entry.file].join(" / "))];
  parts.push(...entry.warnings.map((warning) => make("p", warning, "doubt")));
  const pictures = make("div", undefined, "pictures");
  const { background, overlay, ...others } = entry.pictures;
  if (background) pictures.append(figure("mid-sagittal", [background, overlay]));
  for (const [name, source] of Object.entries(others)) pictures.append(figure(name, [source]));
  parts.push(pictures, table(entry.discs));
  return parts;
}

function figure(name, sources) {
  const element = make("figure");
  const layers = make("div", undefined, "layers");
  for (const source of sources.filter(Boolean)) {
    const image = make("img");
    image.src = source;
    image.alt = name;
    layers.append(image);
  }
  element.append(layers, make("figcaption", name));
  return element;
}

function table(discs) {
  const element = make("table");
  const head = ["disc", "name", "voxel", "world RAS+ [mm]", "confidence"];
  element.append(make("tr"));
  element.firstChild.append(...head.map((title) => make("th", title)));
  for (const disc of discs) {
    const row = make("tr");
    const world = disc.world_mm.map((mm) => mm.toFixed(1)).join(" ");
    for (const text of [disc.value, disc.name, disc.voxel.join(" "), world]) {
      row.append(make("td", text));
    }
    const doubt = disc.confidence < DOUBT_BELOW ? "number doubt" : "number";
    row.append(make("td", disc.confidence.toFixed(2), doubt));
    element.append(row);
  }
  return element;
}

function setMark(mark) {
  if (!selected || selected.damaged) return;
  if (mark === undefined || marks[selected.id] === mark) delete marks[selected.id];
  else marks[selected.id] = mark;
  save();
  fill(selected.row, selected);
  refresh();
}

// SCT's correction tools read a list of images for each kind of label; JSON strings are YAML.
function yaml(mark) {
  const images = entries.filter((entry) => marks[entry.id] === mark).map((entry) => entry.image);
  return "FILES_LABEL:\n" + images.map((image) => `- ${JSON.stringify(image)}\n`).join("");
}

function download(mark) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([yaml(mark)], { type: "text/yaml" }));
  link.download = `qc_${mark}.yml`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === search) {
    if (event.key === "Escape" || event.key === "Enter") search.blur();
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const step = { ArrowDown: 1, ArrowUp: -1 }[key];
  if (step) {
    const next = selected && !selected.row.hidden ? neighbour(step) : neighbour(1);
    if (next) select(next);
  } else if (key === "ArrowRight") document.body.classList.toggle("plain");
  else if (key === "/") search.focus();
  else if (key in KEYS) setMark(KEYS[key]);
  else if (key === "f") setMark(MARKS[MARKS.indexOf(selected && marks[selected.id]) + 1]);
  else return;
  event.preventDefault();
}

for (const entry of entries) {
  entry.row = make("tr");
  entry.row.addEventListener("click", () => select(entry));
  fill(entry.row, entry);
}
COLUMNS.forEach(({ title, number }, column) => {
  const head = make("th", title, number ? "number" : "");
  head.addEventListener("click", () => sort(column));
  byId("heads").append(head);
});
body.replaceChildren(...entries.map((entry) => entry.row));
for (const mark of MARKS) byId("save-" + mark).addEventListener("click", () => download(mark));
search.addEventListener("input", refresh);
wanted.addEventListener("change", () => {
  refresh();
  wanted.blur();
});
document.addEventListener("keydown", onKey);
refresh();
if (entries.length) select(entries[0]);
