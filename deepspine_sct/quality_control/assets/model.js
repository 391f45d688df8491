// What the page shows: the scans, where their voxels are, and the discs that stand after corrections.
"use strict";

const page = JSON.parse(document.getElementById("data").textContent);
const scans = page.scans;
const scanOf = new Map(scans.map((scan) => [scan.key, scan]));
const LOWEST = 1;
const HIGHEST = Math.max(...Object.keys(page.names).map(Number));

const byId = (id) => document.getElementById(id);

// Text from outside goes into the page by textContent alone.
function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function makeSvg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  return element;
}

function title(scan) {
  return [scan.dataset, scan.subject, scan.session, scan.contrast].filter(Boolean).join(" / ") || scan.name;
}

function pictureUrl(scan, kind) {
  const picture = scan.pictures[kind];
  return picture && `deepspine/${encodeURIComponent(scan.key)}/${encodeURIComponent(picture.file)}`;
}

// A disc on the page is { value, xyz, confidence }, with xyz in world RAS+ mm; confidence is null where a
// person placed it.
function automaticDiscs(scan) {
  return scan.discs.map(([value, xyz, confidence]) => ({ value, xyz, confidence }));
}

// The affine of the scan leads from (slice, row, column) to the world; this is the way back.
function inverse(scan) {
  if (!scan.inverse) {
    const [[a, b, c], [d, e, f], [g, h, i]] = scan.plane.affine;
    const det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
    scan.inverse = [
      [(e * i - f * h) / det, (c * h - b * i) / det, (b * f - c * e) / det],
      [(f * g - d * i) / det, (a * i - c * g) / det, (c * d - a * f) / det],
      [(d * h - e * g) / det, (b * g - a * h) / det, (a * e - b * d) / det],
    ];
  }
  return scan.inverse;
}

function toIndex(scan, xyz) {
  const offset = xyz.map((mm, axis) => mm - scan.plane.affine[axis][3]);
  return inverse(scan).map((row) => row.reduce((sum, value, axis) => sum + value * offset[axis], 0));
}

function toWorld(scan, index) {
  return scan.plane.affine.map((row) => row[0] * index[0] + row[1] * index[1] + row[2] * index[2] + row[3]);
}

// Slice in which the picture lies at a row: linear between the knots and constant beyond them.
function sliceAt(scan, row) {
  const knots = scan.plane.curve;
  if (row <= knots[0][0]) return knots[0][1];
  for (let n = 1; n < knots.length; n++) {
    const [[low, before], [high, after]] = [knots[n - 1], knots[n]];
    if (row <= high) return before + ((after - before) * (row - low)) / (high - low);
  }
  return knots[knots.length - 1][1];
}

// The page draws in millimetres of the picture: voxel (row, column) covers one pixel_mm from its upper left corner.
function toPicture(scan, xyz) {
  const [, row, column] = toIndex(scan, xyz);
  return { x: (column + 0.5) * scan.plane.pixel_mm[1], y: (row + 0.5) * scan.plane.pixel_mm[0] };
}

function fromPicture(scan, { x, y }) {
  return { row: y / scan.plane.pixel_mm[0] - 0.5, column: x / scan.plane.pixel_mm[1] - 0.5 };
}

function pictureSize(scan) {
  const [, rows, columns] = scan.plane.shape;
  return { width: columns * scan.plane.pixel_mm[1], height: rows * scan.plane.pixel_mm[0] };
}

function placeImage(image, scan, kind) {
  const [row, column, rows, columns] = scan.pictures[kind].box;
  const [rowMm, columnMm] = scan.plane.pixel_mm;
  image.setAttribute("x", (column + 0.5) * columnMm);
  image.setAttribute("y", (row + 0.5) * rowMm);
  image.setAttribute("width", columns * columnMm);
  image.setAttribute("height", rows * rowMm);
  image.setAttribute("preserveAspectRatio", "none");
  image.setAttribute("href", pictureUrl(scan, kind));
}

// A confidence as people are told it, as Python's in_two_digits writes it: rounding lifts none over a limit.
function inTwoDigits(confidence) {
  const text = confidence.toFixed(2);
  const limit = [page.weak, page.sure].find((value) => confidence < value && value <= Number(text));
  return limit === undefined ? text : (limit - 0.01).toFixed(2);
}

// Confidence as a colour that is told apart by lightness as well as by hue.
function discColour(disc) {
  if (disc.confidence === null) return "#4cf";
  return disc.confidence < page.weak ? "#f33" : disc.confidence < page.sure ? "#fa0" : "#fe3";
}

function spanText(discs) {
  if (!discs.length) return "no disc";
  const values = discs.map((disc) => disc.value);
  return `${discs.length} discs, ${page.names[Math.min(...values)]} to ${page.names[Math.max(...values)]}`;
}

function needsLook(scan) {
  return scan.outcome === "labelled" && scan.look.length > 0;
}

function statusText(scan) {
  return needsLook(scan) ? "to look at" : scan.outcome;
}
