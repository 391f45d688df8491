// The wall: a thumbnail for each scan, of which only those in sight are in the document.
"use strict";

const wall = byId("wall");
const bricks = byId("bricks");
const GAP = 8;
const CAPTION_HEIGHT = 50;
const MARGIN_MM = { front: 40, back: 28, end: 14 };

let shown = scans.slice(); // after filter and order
let selected = null;
let cards = new Map(); // key to the element in the document
let layout = { columns: 1, width: 150, height: 240 };

const ORDERS = {
  look: (a, b) => b.urgency - a.urgency,
  name: (a, b) => compare(title(a) + a.image, title(b) + b.image),
  level: (a, b) => (a.level_confidence ?? 2) - (b.level_confidence ?? 2),
  weakest: (a, b) => weakest(a) - weakest(b),
  date: (a, b) => compare(b.made.date || "", a.made.date || ""),
  mark: (a, b) => compare(markOf(a) || "~", markOf(b) || "~"),
};

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

function weakest(scan) {
  return scan.discs.length ? Math.min(...scan.discs.map((disc) => disc[2])) : 2;
}

function matches(scan, { outcome, contrast, mark, words }) {
  const fits = {
    all: true,
    look: needsLook(scan),
    clear: scan.outcome === "labelled" && !needsLook(scan),
  }[outcome];
  if (!(fits ?? scan.outcome === outcome)) return false;
  if (contrast !== "all" && scan.contrast !== contrast) return false;
  const own = markOf(scan) || "none";
  if (mark === "corrected" ? !isCorrected(scan) : mark !== "all" && own !== mark) return false;
  if (scan.searched === undefined) {
    scan.searched = [title(scan), scan.image, scan.outcome, ...scan.look].join(" ").toLowerCase();
  }
  return words.every((word) => scan.searched.includes(word));
}

function filters() {
  return {
    outcome: byId("outcome").value,
    contrast: byId("contrast").value,
    mark: byId("marked").value,
    words: byId("search").value.toLowerCase().split(/\s+/).filter(Boolean),
  };
}

function refreshWall() {
  const wanted = filters();
  shown = scans.filter((scan) => matches(scan, wanted)).sort(ORDERS[byId("order").value]);
  if (!shown.includes(selected)) selected = shown[0] || null;
  for (const card of cards.values()) card.remove();
  cards = new Map();
  countShown();
  lay();
}

function countShown() {
  const counts = MARKS.map((mark) => `${scans.filter((scan) => markOf(scan) === mark).length} ${mark}`);
  const corrected = scans.filter(isCorrected).length;
  const rest = page.left_out ? `; ${page.left_out} more with less to look at are in the tables alone` : "";
  byId("count").textContent =
    `${shown.length} of ${scans.length} scans shown; ${counts.join(", ")}, ${corrected} corrected${rest}`;
}

// Works out how many cards fit beside each other, and draws those in sight.
function lay() {
  const width = Number(byId("size").value);
  const columns = Math.max(1, Math.floor((bricks.clientWidth + GAP) / (width + GAP)));
  const wide = Math.floor((bricks.clientWidth - GAP * (columns - 1)) / columns);
  layout = { columns, width: wide, height: Math.round(width * 1.35) + CAPTION_HEIGHT };
  const rows = Math.ceil(shown.length / columns);
  bricks.style.height = `${rows * (layout.height + GAP)}px`;
  drawInSight();
}

function drawInSight() {
  const step = layout.height + GAP;
  const first = Math.max(0, Math.floor(wall.scrollTop / step) - 1) * layout.columns;
  const last = (Math.ceil((wall.scrollTop + wall.clientHeight) / step) + 1) * layout.columns;
  const wanted = new Map(shown.slice(first, last).map((scan, n) => [scan.key, [scan, first + n]]));
  for (const [key, card] of cards) {
    if (!wanted.has(key)) {
      card.remove();
      cards.delete(key);
    }
  }
  for (const [key, [scan, position]] of wanted) {
    if (!cards.has(key)) {
      cards.set(key, drawCard(scan));
      bricks.append(cards.get(key));
    }
    placeCard(cards.get(key), scan, position);
  }
  if (selected && cards.has(selected.key)) wall.setAttribute("aria-activedescendant", `card-${selected.key}`);
  else wall.removeAttribute("aria-activedescendant");
}

function placeCard(card, scan, position) {
  const [row, column] = [Math.floor(position / layout.columns), position % layout.columns];
  card.style.transform = `translate(${column * (layout.width + GAP)}px, ${row * (layout.height + GAP)}px)`;
  card.style.width = `${layout.width}px`;
  card.style.height = `${layout.height}px`;
  card.setAttribute("aria-posinset", position + 1);
  card.setAttribute("aria-setsize", shown.length);
  card.setAttribute("aria-selected", scan === selected);
}

function drawCard(scan) {
  const card = make("div", undefined, "card");
  card.id = `card-${scan.key}`;
  card.setAttribute("role", "option");
  card.setAttribute("aria-label", describeScan(scan));
  card.dataset.key = scan.key;
  card.dataset.status = statusText(scan);
  card.append(thumbnail(scan), caption(scan));
  const mark = markOf(scan) || (isCorrected(scan) ? "corrected" : "");
  if (mark) card.append(make("span", mark, `mark ${mark}`));
  return card;
}

function describeScan(scan) {
  const level = scan.level_confidence === null ? "" : `, level confidence ${inTwoDigits(scan.level_confidence)}`;
  const mark = markOf(scan) ? `, marked ${markOf(scan)}` : "";
  const look = scan.look.length ? `; ${scan.look.join("; ")}` : "";
  return `${title(scan)}, ${scan.name}: ${statusText(scan)}, ${spanText(discsOf(scan))}${level}${mark}${look}`;
}

function caption(scan) {
  const element = make("div", undefined, "caption");
  element.append(make("b", scan.name.replace(/\.nii(\.gz)?$/i, "")));
  element.title = scan.image;
  const level = scan.level_confidence === null ? "" : ` ${inTwoDigits(scan.level_confidence)}`;
  element.append(make("span", scan.outcome === "labelled" ? spanText(discsOf(scan)) : scan.reason));
  element.append(make("span", statusText(scan) + level, "status"));
  return element;
}

// The part of the picture around the discs, with a dot for each: what a glance needs.
function thumbnail(scan) {
  if (!scan.plane || !scan.pictures.thumb) return make("div", scan.reason || "no picture", "blank");
  const discs = discsOf(scan);
  const points = discs.map((disc) => toPicture(scan, disc.xyz));
  const box = aroundDiscs(scan, points, layout.width / (layout.height - CAPTION_HEIGHT));
  const svg = makeSvg("svg", {
    viewBox: `${box.x} ${box.y} ${box.width} ${box.height}`,
    "aria-hidden": "true",
  });
  const image = makeSvg("image");
  placeImage(image, scan, "thumb");
  svg.append(image);
  const radius = box.height / 90;
  discs.forEach((disc, n) => {
    const { x, y } = points[n];
    svg.append(makeSvg("circle", { cx: x, cy: y, r: radius, fill: discColour(disc) }));
    const text = makeSvg("text", { x: x + 2 * radius, y: y + 1.2 * radius, "font-size": 4.2 * radius });
    text.textContent = disc.value;
    svg.append(text);
  });
  return svg;
}

// The part of the picture [mm] that holds all discs, grown to the shape of the place that it fills.
function aroundDiscs(scan, points, shape) {
  const whole = pictureSize(scan);
  if (!points.length) return { x: 0, y: 0, ...whole };
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  let [left, right] = [Math.min(...xs) - MARGIN_MM.front, Math.max(...xs) + MARGIN_MM.back];
  let [top, bottom] = [Math.min(...ys) - MARGIN_MM.end, Math.max(...ys) + MARGIN_MM.end];
  const wider = (bottom - top) * shape - (right - left);
  if (wider > 0) [left, right] = [left - wider / 2, right + wider / 2];
  else [top, bottom] = [top + wider / shape / 2, bottom - wider / shape / 2];
  return { x: left, y: top, width: right - left, height: bottom - top };
}

function redrawCard(scan) {
  const old = cards.get(scan.key);
  if (!old) return;
  const fresh = drawCard(scan);
  old.replaceWith(fresh);
  cards.set(scan.key, fresh);
  placeCard(fresh, scan, shown.indexOf(scan));
}

function selectScan(scan) {
  if (!scan) return;
  const last = selected;
  selected = scan;
  for (const changed of [last, scan]) {
    if (changed && cards.has(changed.key)) cards.get(changed.key).setAttribute("aria-selected", changed === scan);
  }
  const step = layout.height + GAP;
  const top = Math.floor(shown.indexOf(scan) / layout.columns) * step;
  if (top < wall.scrollTop) wall.scrollTop = top;
  else if (top + step > wall.scrollTop + wall.clientHeight) wall.scrollTop = top + step - wall.clientHeight;
  drawInSight();
  if (isViewing()) showScan(scan);
}

function neighbour(step) {
  return shown[shown.indexOf(selected) + step];
}
