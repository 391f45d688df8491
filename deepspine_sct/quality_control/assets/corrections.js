// Marks and corrections: kept in this browser scan by scan, saved to a file, and read back from it.
"use strict";

const MARKS = ["pass", "fail", "artifact"];
const STORE = `deepspine:${location.pathname}:`;
const RATER = "deepspine:rater";
const FORMAT = { format: "deepspine_sct corrections", version: 1 };

// For each scan: mark, comment, and discs where they were corrected (else null).
const work = new Map();
const past = new Map(); // for each scan the discs before each correction
let storageWorks = true;

function restore() {
  try {
    for (let n = 0; n < localStorage.length; n++) {
      const name = localStorage.key(n);
      const key = name.startsWith(STORE) ? name.slice(STORE.length) : "";
      if (scanOf.has(key)) work.set(key, readWork(JSON.parse(localStorage.getItem(name))));
    }
    byId("rater").value = localStorage.getItem(RATER) || "";
  } catch {
    storageFails();
  }
}

function storageFails() {
  storageWorks = false;
  byId("storage").textContent = "This browser keeps nothing: save the corrections before you close the page.";
}

// What comes from outside is taken only in the form that the page itself gives it.
function readWork(content) {
  const discs = Array.isArray(content.discs)
    ? content.discs
        .filter((d) => page.names[d.value] && d.xyz.length === 3 && d.xyz.every(Number.isFinite))
        .map((d) => ({ value: Number(d.value), xyz: d.xyz.map(Number), confidence: d.confidence ?? null }))
    : null;
  return {
    mark: MARKS.includes(content.mark) ? content.mark : "",
    comment: String(content.comment || ""),
    discs,
  };
}

function workOn(scan) {
  return work.get(scan.key) || { mark: "", comment: "", discs: null };
}

function store(scan, change) {
  const now = { ...workOn(scan), ...change };
  const empty = !now.mark && !now.comment && !now.discs;
  if (empty) work.delete(scan.key);
  else work.set(scan.key, now);
  try {
    if (empty) localStorage.removeItem(STORE + scan.key);
    else localStorage.setItem(STORE + scan.key, JSON.stringify(now));
  } catch {
    storageFails();
  }
}

function discsOf(scan) {
  return workOn(scan).discs || automaticDiscs(scan);
}

function isCorrected(scan) {
  return workOn(scan).discs !== null;
}

function markOf(scan) {
  return workOn(scan).mark;
}

// A correction: what stood before can be brought back.
function correct(scan, discs) {
  if (!past.has(scan.key)) past.set(scan.key, []);
  past.get(scan.key).push(workOn(scan).discs);
  store(scan, { discs });
}

function undo(scan) {
  const steps = past.get(scan.key) || [];
  if (!steps.length) return false;
  store(scan, { discs: steps.pop() });
  return true;
}

function record(scan) {
  const { mark, comment } = workOn(scan);
  const kept = mark === "pass" || isCorrected(scan);
  return {
    key: scan.key,
    image: scan.image,
    dataset: scan.dataset,
    subject: scan.subject,
    session: scan.session,
    contrast: scan.contrast,
    mark,
    comment,
    corrected: isCorrected(scan),
    grid: scan.plane && { shape: scan.plane.shape, affine: scan.plane.affine },
    made: scan.made,
    discs: kept
      ? discsOf(scan).map(({ value, xyz, confidence }) => ({
          value,
          name: page.names[value],
          world_mm: xyz.map((mm) => Number(mm.toFixed(4))),
          by: confidence === null ? "hand" : "network",
        }))
      : null,
  };
}

function correctionsText() {
  const content = {
    ...FORMAT,
    program: page.program,
    saved: new Date().toISOString(),
    rater: byId("rater").value.trim(),
    scans: scans.filter((scan) => work.has(scan.key)).map(record),
  };
  return JSON.stringify(content, null, 1) + "\n";
}

// Takes a file that was saved before, also in another browser. Scans that are not on this page are left out.
function loadCorrections(text) {
  const content = JSON.parse(text);
  if (content.format !== FORMAT.format || content.version !== FORMAT.version) throw new Error("wrong format");
  let n = 0;
  for (const saved of content.scans) {
    const scan = scanOf.get(saved.key);
    if (!scan) continue;
    const discs = saved.corrected
      ? saved.discs.map((d) => ({
          value: d.value,
          xyz: d.world_mm,
          confidence: d.by === "hand" ? null : confidenceOf(scan, d.value),
        }))
      : null;
    store(scan, readWork({ mark: saved.mark, comment: saved.comment, discs }));
    n += 1;
  }
  return { taken: n, left: content.scans.length - n };
}

function confidenceOf(scan, value) {
  const known = scan.discs.find(([other]) => other === value);
  return known ? known[2] : null;
}

function download(name, text, type) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// SCT's correction tools read a list of images for each kind of label; JSON strings are YAML.
function yaml(mark) {
  const images = scans.filter((scan) => markOf(scan) === mark).map((scan) => scan.image);
  return "FILES_LABEL:\n" + images.map((image) => `- ${JSON.stringify(image)}\n`).join("");
}
