// Corrections with mouse, touch and keys: drag, delete, add, name anew, shift all names, undo.
"use strict";

let adding = false;
let drag = null; // { disc value, or null for the picture; where it began; whether it moved }

// Discs stand in the order of the rows, and their values grow downwards: where a disc is dragged past
// another one, the two exchange their names.
function inOrder(scan, discs) {
  const rows = new Map(discs.map((disc) => [disc, toIndex(scan, disc.xyz)[1]]));
  const sorted = discs.slice().sort((a, b) => rows.get(a) - rows.get(b));
  const values = discs.map((disc) => disc.value).sort((a, b) => a - b);
  return sorted.map((disc, n) => (disc.value === values[n] ? disc : { ...disc, value: values[n], confidence: null }));
}

function applyCorrection(scan, discs, text) {
  correct(scan, discs);
  afterChange(scan, text);
}

function afterChange(scan, text) {
  if (chosen !== null && !discsOf(scan).some((disc) => disc.value === chosen)) chosen = null;
  drawDiscs(scan);
  fillTable(scan);
  fillWork(scan);
  redrawCard(scan);
  countShown();
  announce(text);
}

// A disc keeps its distance from the plane of the picture, which shows nothing of left and right.
function movedTo(scan, disc, { row, column }) {
  const [slice, oldRow] = toIndex(scan, disc.xyz);
  const moved = slice + sliceAt(scan, row) - sliceAt(scan, oldRow);
  return { ...disc, xyz: toWorld(scan, [moved, row, column]), confidence: null };
}

function withinPicture(scan, { row, column }) {
  const [, rows, columns] = scan.plane.shape;
  const inside = (value, n) => Math.min(Math.max(value, -0.499), n - 0.501);
  return { row: inside(row, rows), column: inside(column, columns) };
}

function moveDisc(scan, value, place) {
  const at = withinPicture(scan, place);
  const discs = discsOf(scan).map((disc) => (disc.value === value ? movedTo(scan, disc, at) : disc));
  applyCorrection(scan, inOrder(scan, discs), `${page.names[value]} moved`);
}

function nudge(scan, rows, columns) {
  const disc = discsOf(scan).find((other) => other.value === chosen);
  if (!disc) return;
  const [, row, column] = toIndex(scan, disc.xyz);
  moveDisc(scan, chosen, { row: row + rows, column: column + columns });
}

function deleteDisc(scan) {
  if (chosen === null) return;
  const name = page.names[chosen];
  applyCorrection(scan, discsOf(scan).filter((disc) => disc.value !== chosen), `${name} deleted`);
}

function addDisc(scan, place) {
  const at = withinPicture(scan, place);
  const xyz = toWorld(scan, [sliceAt(scan, at.row), at.row, at.column]);
  const discs = inOrder(scan, discsOf(scan));
  const above = discs.filter((disc) => toIndex(scan, disc.xyz)[1] < at.row);
  const below = discs.slice(above.length);
  const named = makeRoom(above, below);
  if (!named) return announce("All 25 names are in use.");
  const { value } = named;
  const fresh = { value, xyz, confidence: null };
  chosen = value;
  applyCorrection(scan, [...named.above, fresh, ...named.below], `${page.names[value]} added${named.note}`);
}

// Names a new disc by its place. Between two discs whose names leave no room, those below move down by one.
function makeRoom(above, below) {
  const upper = above.length ? above[above.length - 1].value : null;
  const lower = below.length ? below[0].value : null;
  if (upper === null && lower === null) return { above, below, value: 3, note: "; shift the names if it is another" };
  if (upper === null && lower > LOWEST) return { above, below, value: lower - 1, note: "" };
  if (lower === null && upper < HIGHEST) return { above, below, value: upper + 1, note: "" };
  if (upper !== null && lower !== null && lower - upper > 1) return { above, below, value: upper + 1, note: "" };
  const shift = (discs, by) => discs.map((disc) => ({ ...disc, value: disc.value + by, confidence: null }));
  const last = below.length ? below[below.length - 1].value : upper;
  if (below.length && last < HIGHEST) {
    return { above, below: shift(below, 1), value: lower, note: "; the names below moved down by one" };
  }
  if (above.length && above[0].value > LOWEST) {
    return { above: shift(above, -1), below, value: upper, note: "; the names above moved up by one" };
  }
  return null;
}

function shiftNames(scan, by) {
  const discs = discsOf(scan);
  const values = discs.map((disc) => disc.value + by);
  if (!discs.length) return;
  if (Math.min(...values) < LOWEST || Math.max(...values) > HIGHEST) {
    announce("The names cannot be shifted any farther.");
    return;
  }
  if (chosen !== null) chosen += by;
  const shifted = discs.map((disc) => ({ ...disc, value: disc.value + by, confidence: null }));
  applyCorrection(scan, shifted, `All names shifted ${by < 0 ? "up" : "down"} by one level: ${spanText(shifted)}`);
}

function undoCorrection(scan) {
  if (undo(scan)) afterChange(scan, "Undone");
}

function resetDiscs(scan) {
  if (isCorrected(scan)) applyCorrection(scan, null, "The automatic labels are back");
}

function setMark(scan, mark) {
  store(scan, { mark: markOf(scan) === mark ? "" : mark });
  redrawCard(scan);
  countShown();
  if (isViewing()) fillWork(scan);
  announce(markOf(scan) ? `marked ${mark}` : "mark taken away");
}

function setAdding(on) {
  adding = on;
  byId("add").setAttribute("aria-pressed", on);
  pane.classList.toggle("adding", on);
  if (on) announce("Click where the disc's posterior tip is, or press Enter for the middle of the picture.");
}

// Point of the picture [mm] under the mouse.
function pointAt(event) {
  const matrix = pane.getScreenCTM().inverse();
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
  return { x: point.x, y: point.y };
}

function onPointerDown(event) {
  if (!selected || !selected.plane || event.button !== 0) return;
  const at = pointAt(event);
  if (adding) {
    setAdding(false);
    addDisc(selected, fromPicture(selected, at));
    return;
  }
  const element = event.target.closest(".disc");
  const value = element ? Number(element.dataset.value) : null;
  if (value !== null) choose(value);
  const disc = discsOf(selected).find((other) => other.value === value);
  const grip = disc && toPicture(selected, disc.xyz);
  // The disc stays under the pointer where it was taken hold of.
  const offset = grip ? { x: grip.x - at.x, y: grip.y - at.y } : null;
  drag = { scan: selected, value, at, offset, view: { ...view }, moved: false };
  pane.setPointerCapture(event.pointerId);
  event.preventDefault();
}

function onPointerMove(event) {
  if (!drag) return;
  const at = pointAt(event);
  if (Math.hypot(at.x - drag.at.x, at.y - drag.at.y) > 2 * mmPerPx()) drag.moved = true;
  if (!drag.moved) return;
  if (drag.value === null) {
    view.x += drag.at.x - at.x;
    view.y += drag.at.y - at.y;
    frame();
    return;
  }
  const element = pane.querySelector(`.disc[data-value="${drag.value}"]`);
  element.setAttribute("transform", `translate(${at.x - drag.at.x} ${at.y - drag.at.y})`);
}

function onPointerUp(event) {
  if (!drag) return;
  const { scan, value, offset, moved } = drag;
  const at = pointAt(event);
  drag = null;
  if (moved && value !== null) moveDisc(scan, value, fromPicture(scan, { x: at.x + offset.x, y: at.y + offset.y }));
}

function onDoubleClick(event) {
  if (selected && selected.plane && !event.target.closest(".disc")) {
    addDisc(selected, fromPicture(selected, pointAt(event)));
  }
}
