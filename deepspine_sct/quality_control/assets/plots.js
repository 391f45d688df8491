// The plots of a cohort: every dot is a scan, and a click opens it.
"use strict";

let charts = [];

const LINE = { responsive: true, maintainAspectRatio: false, animation: false, parsing: false, normalized: true };

function drawPlots() {
  for (const chart of charts) chart.destroy();
  Chart.defaults.color = getComputedStyle(document.body).color;
  Chart.defaults.borderColor = "#8883";
  const labelled = scans.filter((scan) => scan.outcome === "labelled");
  charts = [plotSpacing(labelled), plotConfidence(labelled), plotAngles(labelled)];
}

function scatter(id, datasets, x, y) {
  return new Chart(byId(id), {
    type: "scatter",
    data: { datasets },
    options: {
      ...LINE,
      scales: { x: { type: "linear", ...x }, y },
      plugins: {
        legend: { display: datasets.length > 1, labels: { usePointStyle: true, boxHeight: 6 } },
        tooltip: { callbacks: { label: (item) => item.raw.text || `${item.dataset.label} ${item.formattedValue}` } },
      },
      onClick: (event, items) => {
        const scan = items.map((item) => datasets[item.datasetIndex].data[item.index].scan).find(Boolean);
        if (scan) openFromOutside(scan);
      },
    },
  });
}

// Spreads dots of one level sideways, always in the same way.
function jitter(n) {
  return (((n * 0.618034) % 1) - 0.5) * 0.5;
}

function dots(label, data, colour) {
  return { label, data, backgroundColor: colour, pointRadius: data.length > 5000 ? 1.5 : 3, pointHoverRadius: 6 };
}

function median(values) {
  const sorted = values.slice().sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

function plotSpacing(labelled) {
  const levels = new Map();
  const usual = [];
  const odd = [];
  labelled.forEach((scan, n) => {
    const at = new Map(discsOf(scan).map((disc) => [disc.value, disc.xyz]));
    for (const [value, xyz] of at) {
      if (!at.has(value + 1)) continue;
      const mm = Math.hypot(...xyz.map((x, axis) => x - at.get(value + 1)[axis]));
      const names = `${page.names[value]} to ${page.names[value + 1]}`;
      const dot = { x: value + jitter(n), y: mm, scan, text: `${title(scan)}: ${names} ${mm.toFixed(1)} mm` };
      (scan.look.some((reason) => reason.startsWith(`${names} is`)) ? odd : usual).push(dot);
      if (!levels.has(value)) levels.set(value, []);
      levels.get(value).push(mm);
    }
  });
  const middle = [...levels].sort(([a], [b]) => a - b).map(([value, mm]) => ({ x: value, y: median(mm) }));
  const line = { ...dots("median", middle, "#3a7"), type: "line", borderColor: "#3a7", pointRadius: 0, borderWidth: 2 };
  return scatter(
    "plot-spacing",
    [dots("unlike the other scans", odd, "#d33"), line, dots("scan", usual, "#68a8")],
    {
      title: { display: true, text: "upper disc" },
      ticks: { stepSize: 1, autoSkip: false, maxRotation: 60, callback: (value) => page.names[value] || "" },
      min: Math.min(...levels.keys(), 3) - 1,
      max: Math.max(...levels.keys(), 4) + 1,
    },
    { title: { display: true, text: "distance to the next disc [mm]" } },
  );
}

function plotConfidence(labelled) {
  const data = labelled.map((scan) => ({
    x: scan.level_confidence,
    y: weakest(scan),
    scan,
    text: `${title(scan)}: level ${inTwoDigits(scan.level_confidence)}, weakest disc ${inTwoDigits(weakest(scan))}`,
  }));
  const kinds = [
    dots("to look at", data.filter((dot) => needsLook(dot.scan)), "#d33"),
    dots("nothing to look at", data.filter((dot) => !needsLook(dot.scan)), "#68a8"),
  ];
  const axis = (text) => ({ min: 0, max: 1.02, title: { display: true, text } });
  return scatter("plot-confidence", kinds, axis("level confidence"), axis("confidence of the weakest disc"));
}

function plotAngles(labelled) {
  const names = [...new Set(labelled.flatMap((scan) => Object.keys(scan.angles)))].sort();
  const data = labelled.flatMap((scan, n) =>
    Object.entries(scan.angles).map(([name, deg]) => ({
      x: names.indexOf(name) + jitter(n),
      y: deg,
      scan,
      text: `${title(scan)}: ${angleTitle(name)} ${deg.toFixed(1)}°`,
    })),
  );
  byId("no-angles").hidden = names.length > 0;
  byId("plot-angles").parentElement.hidden = !names.length;
  return scatter(
    "plot-angles",
    [dots("scan", data, "#68a8")],
    {
      min: -0.5,
      max: Math.max(names.length, 1) - 0.5,
      afterBuildTicks: (axis) => (axis.ticks = names.map((_, value) => ({ value }))),
      ticks: { callback: (value) => (names[value] ? angleTitle(names[value]) : "") },
    },
    { title: { display: true, text: "angle [degrees], positive is lordotic" } },
  );
}

function fillCounts() {
  const contrasts = [...new Set(scans.map((scan) => scan.contrast))].sort();
  const kinds = ["labelled", "to look at", "failed", "skipped", "not done", "damaged"];
  const count = (group, kind) =>
    group.filter((scan) => (kind === "to look at" ? needsLook(scan) : scan.outcome === kind)).length;
  const used = kinds.filter((kind) => ["labelled", "to look at", "failed"].includes(kind) || count(scans, kind));
  const head = make("tr");
  head.append(make("th", "contrast"), ...used.map((kind) => make("th", kind)));
  const rows = [...contrasts.map((c) => [c || "?", scans.filter((scan) => scan.contrast === c)]), ["all", scans]];
  byId("counts").replaceChildren(
    head,
    ...rows.map(([name, group]) => {
      const row = make("tr");
      row.append(make("th", name), ...used.map((kind) => make("td", count(group, kind))));
      return row;
    }),
  );
}
