// The viewer: one scan as large as the pane, its discs as vectors over it, and what is known of it.
"use strict";

const pane = byId("pane");
const LAYERS = ["attention", "heatmaps"];
const DOT_PX = 5;
const NAME_PX = 13;

let view = null; // { x, y, width, height } of the picture in sight [mm]
let chosen = null; // value of the disc that keys act on
const visible = { names: true, discs: true, attention: false, heatmaps: false };

function isViewing() {
  return document.body.classList.contains("viewing");
}

function openViewer(scan) {
  document.body.classList.add("viewing");
  byId("viewer").hidden = false;
  lay();
  selectScan(scan);
  byId("viewer").focus();
}

function closeViewer() {
  document.body.classList.remove("viewing");
  byId("viewer").hidden = true;
  lay();
  selectScan(selected);
  wall.focus();
}

function showScan(scan) {
  chosen = null;
  view = scan.plane && { x: 0, y: 0, ...pictureSize(scan) };
  byId("scan-title").textContent = title(scan);
  byId("scan-file").textContent = scan.name;
  byId("scan-file").title = scan.image;
  fillFacts(scan);
  drawScan(scan);
  announce(`${shown.indexOf(scan) + 1} of ${shown.length}: ${describeScan(scan)}`);
  preload(neighbour(1));
  preload(neighbour(-1));
}

function preload(scan) {
  if (scan && scan.pictures.slice) new Image().src = pictureUrl(scan, "slice");
}

function announce(text) {
  byId("announcer").textContent = text;
}

// Draws everything of a scan that can change: picture, discs, table, buttons.
function drawScan(scan) {
  pane.replaceChildren();
  byId("level").textContent =
    scan.level_confidence === null ? statusText(scan) : `level confidence ${inTwoDigits(scan.level_confidence)}`;
  byId("level").classList.toggle("doubt", scan.level_confidence === null || scan.level_confidence < page.sure);
  const hasPicture = Boolean(scan.plane && scan.pictures.slice);
  for (const letter of document.querySelectorAll(".letter")) letter.hidden = !hasPicture;
  byId("no-picture").hidden = hasPicture;
  byId("no-picture").textContent = scan.reason || "There is no picture of this scan.";
  drawLayerChoice(scan);
  if (hasPicture) {
    for (const kind of ["slice", ...LAYERS.filter((name) => visible[name] && scan.pictures[name])]) {
      const image = makeSvg("image", { class: kind });
      placeImage(image, scan, kind);
      pane.append(image);
    }
    pane.append(makeSvg("g", { id: "discs" }));
    frame();
  }
  drawDiscs(scan);
  fillTable(scan);
  fillWork(scan);
}

function frame() {
  pane.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
}

// Millimetres of the picture under one pixel of the screen.
function mmPerPx() {
  return Math.max(view.width / (pane.clientWidth || 1), view.height / (pane.clientHeight || 1));
}

function drawDiscs(scan) {
  const group = byId("discs");
  if (!group) return;
  group.replaceChildren();
  if (!visible.discs) return;
  const mm = mmPerPx();
  for (const disc of discsOf(scan)) {
    const { x, y } = toPicture(scan, disc.xyz);
    const name = `${disc.value} ${page.names[disc.value]}`;
    const sure = disc.confidence === null ? "placed by hand" : `confidence ${inTwoDigits(disc.confidence)}`;
    const element = makeSvg("g", {
      class: "disc", tabindex: -1, role: "img", "aria-label": `${name}, ${sure}`, "data-value": disc.value,
    });
    if (disc.value === chosen) element.classList.add("chosen");
    element.append(makeSvg("circle", { class: "grip", cx: x, cy: y, r: 11 * mm }));
    element.append(makeSvg("circle", { class: "dot", cx: x, cy: y, r: DOT_PX * mm, fill: discColour(disc) }));
    if (visible.names) {
      const doubt = disc.confidence !== null && disc.confidence < page.sure ? ` ${inTwoDigits(disc.confidence)}` : "";
      const text = makeSvg("text", { x: x + 12 * mm, y: y + 4.5 * mm, "font-size": NAME_PX * mm });
      text.textContent = name + doubt;
      element.append(text);
    }
    group.append(element);
  }
}

function drawLayerChoice(scan) {
  const captions = [];
  for (const name of LAYERS) {
    const box = byId(`show-${name}`);
    box.disabled = !scan.pictures[name];
    box.checked = visible[name] && !box.disabled;
    if (box.checked) captions.push(scan.pictures[name].caption);
  }
  byId("layer-caption").textContent = captions.join(" ");
}

function setLayer(name, on) {
  visible[name] = on;
  if (LAYERS.includes(name)) {
    if (selected) drawScan(selected);
  } else {
    byId(`show-${name}`).checked = on;
    if (selected) drawDiscs(selected);
  }
}

function fillFacts(scan) {
  const look = byId("look");
  look.replaceChildren(...scan.look.map((reason) => make("li", reason)));
  byId("look-box").hidden = !scan.look.length;
  const facts = {
    status: statusText(scan),
    contrast: scan.contrast,
    image: scan.image,
    made: scan.made.date,
    command: scan.made.command,
    network: scan.made.model,
    ...Object.fromEntries(Object.entries(scan.angles).map(([name, deg]) => [angleTitle(name), `${deg.toFixed(1)}°`])),
  };
  const rows = Object.entries(facts).filter(([, text]) => text);
  byId("facts").replaceChildren(
    ...rows.map(([name, text]) => {
      const row = make("tr");
      const head = make("th", name);
      head.scope = "row";
      row.append(head, make("td", text));
      return row;
    }),
  );
  const siblings = scans.filter(
    (other) => other !== scan && scan.subject.startsWith("sub-") && other.subject === scan.subject &&
      other.session === scan.session && other.dataset === scan.dataset,
  );
  byId("session-box").hidden = !siblings.length;
  byId("siblings").replaceChildren(...siblings.map(siblingButton));
}

function siblingButton(scan) {
  const button = make("button", `${scan.name} (${statusText(scan)})`);
  button.type = "button";
  button.addEventListener("click", () => openFromOutside(scan));
  return button;
}

// A scan that is asked for by a plot or a list must be seen, whatever the filters hide.
function openFromOutside(scan) {
  if (!shown.includes(scan)) clearFilters();
  showTab("scans");
  openViewer(scan);
}

function angleTitle(name) {
  const [region, curve, ...levels] = name.split("_");
  return `${region} ${curve} ${levels.join("-")}`;
}

function fillTable(scan) {
  const rows = discsOf(scan).map((disc) => {
    const row = make("tr", undefined, disc.value === chosen ? "chosen" : "");
    const button = make("button", `${disc.value} ${page.names[disc.value]}`);
    button.type = "button";
    button.addEventListener("click", () => choose(disc.value));
    const head = make("th");
    head.scope = "row";
    head.append(button);
    row.append(head);
    row.append(make("td", disc.confidence === null ? "by hand" : inTwoDigits(disc.confidence)));
    row.append(make("td", disc.xyz.map((mm) => mm.toFixed(1)).join(" ")));
    if (disc.confidence !== null && disc.confidence < page.sure) row.cells[1].className = "doubt";
    return row;
  });
  byId("disc-rows").replaceChildren(...rows);
}

function fillWork(scan) {
  for (const mark of MARKS) byId(`mark-${mark}`).setAttribute("aria-pressed", markOf(scan) === mark);
  byId("comment").value = workOn(scan).comment;
  const canEdit = Boolean(scan.plane);
  for (const id of ["add", "up", "down"]) byId(id).disabled = !canEdit;
  byId("delete").disabled = !canEdit || chosen === null;
  byId("undo").disabled = !(past.get(scan.key) || []).length;
  byId("reset").disabled = !isCorrected(scan);
}

function choose(value) {
  chosen = value;
  drawDiscs(selected);
  fillTable(selected);
  fillWork(selected);
  const disc = discsOf(selected).find((other) => other.value === value);
  if (disc) announce(`${page.names[value]} chosen`);
}

function zoom(factor, at) {
  const { width, height } = pictureSize(selected);
  const now = Math.min(Math.max(view.width / factor, width / 12), width);
  const ratio = now / view.width;
  const centre = at || { x: view.x + view.width / 2, y: view.y + view.height / 2 };
  view = {
    x: centre.x - (centre.x - view.x) * ratio,
    y: centre.y - (centre.y - view.y) * ratio,
    width: now,
    height: view.height * ratio,
  };
  if (now === width) view = { x: 0, y: 0, width, height };
  frame();
  drawDiscs(selected);
}

function fitDiscs(scan) {
  const points = discsOf(scan).map((disc) => toPicture(scan, disc.xyz));
  view = aroundDiscs(scan, points, pane.clientWidth / pane.clientHeight);
  frame();
  drawDiscs(scan);
}
