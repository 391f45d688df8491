// Puts the page together: tabs, filters, keys.
"use strict";

const TABS = ["scans", "cohort", "about"];
const KEY_MARKS = { p: "pass", x: "fail", a: "artifact" };

function showTab(name) {
  for (const tab of TABS) {
    byId(`panel-${tab}`).hidden = tab !== name;
    byId(`tab-${tab}`).setAttribute("aria-selected", tab === name);
    byId(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
  }
  byId("filters").hidden = name !== "scans";
  if (name === "cohort") {
    fillCounts();
    drawPlots();
  } else if (name === "scans") lay();
}

function onTabKey(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const at = TABS.findIndex((tab) => byId(`tab-${tab}`) === event.target);
  const next = TABS[(at + step + TABS.length) % TABS.length];
  showTab(next);
  byId(`tab-${next}`).focus();
  event.preventDefault();
}

function clearFilters() {
  for (const id of ["outcome", "contrast", "marked"]) byId(id).value = "all";
  byId("search").value = "";
  refreshWall();
}

function fillContrasts() {
  for (const contrast of [...new Set(scans.map((scan) => scan.contrast))].filter(Boolean).sort()) {
    const option = make("option", contrast);
    option.value = contrast;
    byId("contrast").append(option);
  }
}

function passAllShown() {
  const open = shown.filter((scan) => scan.outcome === "labelled" && !markOf(scan));
  if (!open.length || !confirm(`Mark ${open.length} scans that are shown and have no mark as passed?`)) return;
  for (const scan of open) store(scan, { mark: "pass" });
  refreshWall();
  announce(`${open.length} scans passed`);
}

function goTo(scan) {
  if (scan) selectScan(scan);
  else announce("There is no further scan.");
}

// Keys that act wherever one is on the page; the second column acts in the viewer alone.
const ANYWHERE = {
  "/": () => byId("search").focus(),
  "?": () => byId("help").showModal(),
  j: () => goTo(neighbour(1)),
  k: () => goTo(neighbour(-1)),
  Home: () => goTo(shown[0]),
  End: () => goTo(shown[shown.length - 1]),
};

const ON_WALL = {
  ArrowRight: () => goTo(neighbour(1)),
  ArrowLeft: () => goTo(neighbour(-1)),
  ArrowDown: () => goTo(neighbour(layout.columns)),
  ArrowUp: () => goTo(neighbour(-layout.columns)),
  Enter: () => openViewer(selected),
};

const IN_VIEWER = {
  ArrowRight: () => goTo(neighbour(1)),
  ArrowLeft: () => goTo(neighbour(-1)),
  ArrowDown: () => stepDisc(1),
  ArrowUp: () => stepDisc(-1),
  Escape: () => (adding ? setAdding(false) : closeViewer()),
  Delete: () => deleteDisc(selected),
  Backspace: () => deleteDisc(selected),
  Enter: () => adding && addInMiddle(),
  "[": () => shiftNames(selected, -1),
  "]": () => shiftNames(selected, 1),
  u: () => undoCorrection(selected),
  i: () => setAdding(!adding),
  n: () => setLayer("names", !visible.names),
  d: () => setLayer("discs", !visible.discs),
  t: () => setLayer("attention", !visible.attention),
  h: () => setLayer("heatmaps", !visible.heatmaps),
  "+": () => zoom(1.5),
  "-": () => zoom(1 / 1.5),
  0: () => zoom(1 / 1000),
  f: () => fitDiscs(selected),
};

const NUDGES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function stepDisc(step) {
  const values = discsOf(selected).map((disc) => disc.value);
  if (!values.length) return;
  const at = values.indexOf(chosen);
  choose(values[at < 0 ? (step > 0 ? 0 : values.length - 1) : Math.min(Math.max(at + step, 0), values.length - 1)]);
}

function addInMiddle() {
  setAdding(false);
  addDisc(selected, fromPicture(selected, { x: view.x + view.width / 2, y: view.y + view.height / 2 }));
}

function isTyping(event) {
  return event.target.matches("input:not([type=checkbox]):not([type=range]), textarea, select");
}

function onKey(event) {
  if (byId("help").open || byId("panel-scans").hidden) return;
  if (isTyping(event)) {
    if (event.key === "Escape" || (event.key === "Enter" && event.target === byId("search"))) wall.focus();
    return;
  }
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && isViewing()) {
    undoCorrection(selected);
    event.preventDefault();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  // Enter on a button presses the button.
  if (event.key === "Enter" && event.target.closest("button, a, summary")) return;
  if (act(event)) event.preventDefault();
}

function act(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!selected) return false;
  if (event.shiftKey && NUDGES[key] && isViewing()) {
    if (selected.plane) nudge(selected, ...NUDGES[key]);
    return true;
  }
  if (KEY_MARKS[key]) {
    setMark(selected, KEY_MARKS[key]);
    return true;
  }
  const needsPicture = ["Delete", "Backspace", "[", "]", "u", "i", "+", "-", "0", "f", "Enter"].includes(key) && isViewing();
  const deed = ANYWHERE[key] || (isViewing() ? IN_VIEWER : ON_WALL)[key];
  if (!deed || (needsPicture && !selected.plane)) return false;
  deed();
  return true;
}

function onWheel(event) {
  if (!selected || !selected.plane) return;
  zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, pointAt(event));
  event.preventDefault();
}

async function onFile(event) {
  const [file] = event.target.files;
  if (!file) return;
  try {
    const { taken, left } = loadCorrections(await file.text());
    announce(`${taken} scans read${left ? `, ${left} are not on this page` : ""}`);
  } catch {
    announce(`${file.name} holds no corrections of this page.`);
  }
  event.target.value = "";
  refreshWall();
  if (isViewing() && selected) drawScan(selected);
}

function listen() {
  const on = (id, type, deed) => byId(id).addEventListener(type, deed);
  for (const tab of TABS) {
    on(`tab-${tab}`, "click", () => showTab(tab));
    on(`tab-${tab}`, "keydown", onTabKey);
  }
  on("search", "input", refreshWall);
  for (const id of ["outcome", "contrast", "marked", "order"]) on(id, "change", refreshWall);
  on("size", "input", () => {
    for (const card of cards.values()) card.remove();
    cards = new Map();
    lay();
  });
  wall.addEventListener("scroll", drawInSight, { passive: true });
  wall.addEventListener("click", (event) => {
    const card = event.target.closest(".card");
    if (card) openViewer(scanOf.get(card.dataset.key));
  });
  new ResizeObserver(() => {
    lay();
    if (isViewing() && selected && selected.plane) drawDiscs(selected);
  }).observe(document.body);
  on("close", "click", closeViewer);
  on("previous", "click", () => goTo(neighbour(-1)));
  on("next", "click", () => goTo(neighbour(1)));
  for (const mark of MARKS) {
    on(`mark-${mark}`, "click", () => setMark(selected, mark));
    on(`save-${mark}`, "click", () => download(`qc_${mark}.yml`, yaml(mark), "text/yaml"));
  }
  on("add", "click", () => setAdding(!adding));
  on("delete", "click", () => deleteDisc(selected));
  on("up", "click", () => shiftNames(selected, -1));
  on("down", "click", () => shiftNames(selected, 1));
  on("undo", "click", () => undoCorrection(selected));
  on("reset", "click", () => resetDiscs(selected));
  on("comment", "change", (event) => store(selected, { comment: event.target.value.trim() }));
  for (const name of ["names", "discs", ...LAYERS]) {
    on(`show-${name}`, "change", (event) => setLayer(name, event.target.checked));
  }
  on("save", "click", () => download("corrections.json", correctionsText(), "application/json"));
  on("load", "change", onFile);
  on("rater", "change", (event) => {
    try {
      localStorage.setItem(RATER, event.target.value);
    } catch {
      storageFails();
    }
  });
  on("pass-all", "click", passAllShown);
  on("clear", "click", clearFilters);
  on("open-help", "click", () => byId("help").showModal());
  pane.addEventListener("pointerdown", onPointerDown);
  pane.addEventListener("pointermove", onPointerMove);
  pane.addEventListener("pointerup", onPointerUp);
  pane.addEventListener("dblclick", onDoubleClick);
  pane.addEventListener("wheel", onWheel, { passive: false });
  document.addEventListener("keydown", onKey);
}

restore();
fillContrasts();
listen();
refreshWall();
if (scans.length === 1) openViewer(scans[0]);
