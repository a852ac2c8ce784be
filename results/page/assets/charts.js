// The charts of a run, drawn from the JSON that package page makes (Data in data.go). Everything is offered on window.corelab:
//
//   corelab.draw(root, data)          draws every <figure class="chart" data-chart="…"> and <figure class="flame"> below root
//   corelab.percentiles(figure, cells, data)      latency over the percentile, one line a cell
//   corelab.overConnections(figure, cells, data)  figure.dataset.figure "throughput" or "p99"; one line a target
//   corelab.bars(figure, cells, data)             the cost of a request, stacked by layer
//   corelab.course(figure, cells, data)           figure.dataset.figure "throughput", "server" or "client"
//   corelab.flame(figure, graphs, data)           see flame.js
//   corelab.redraw()                  draws all again, in the colours that hold now
//   corelab.drawNow(figure)           draws one, in sight or not
//   corelab.drawAll()                 draws what was not in sight yet, for paper
//   corelab.sortable(table)           see page.js
//
// A figure has a figcaption and, where JavaScript finds it, .plot and .legend. Its height never changes by drawing. Names
// come from outside: they are only ever set as text.
(function () {
  "use strict";
  const corelab = window.corelab = window.corelab || {};
  const SVG = "http://www.w3.org/2000/svg";
  const COLOURS = 8;
  const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 2, 1, 2, 1, 2]];

  const variable = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colourOf = i => variable("--c" + (i % COLOURS));
  // Neighbours differ in colour and in dashes, and the second lap of colours has other dashes than the first.
  const dashOf = i => DASHES[(i + Math.floor(i / COLOURS)) % DASHES.length];

  corelab.element = function (tag, attributes, text) {
    const e = document.createElement(tag);
    for (const [k, v] of Object.entries(attributes || {})) e.setAttribute(k, v);
    if (text !== undefined) e.textContent = text;
    return e;
  };
  const element = corelab.element;
  const shape = (tag, attributes, text) => {
    const e = document.createElementNS(SVG, tag);
    for (const [k, v] of Object.entries(attributes || {})) e.setAttribute(k, v);
    if (text !== undefined) e.textContent = text;
    return e;
  };

  const digits = v => {
    const a = Math.abs(v);
    if (a >= 99.95) return Math.round(v).toLocaleString("en");
    if (a >= 9.995) return v.toFixed(1);
    return a >= 0.0995 || a === 0 ? v.toFixed(2) : v.toPrecision(2);
  };
  corelab.time = ns => ns < 999.5 ? digits(ns) + " ns" : ns < 999.5e3 ? digits(ns / 1e3) + " µs" : ns < 999.5e6 ? digits(ns / 1e6) + " ms" : digits(ns / 1e9) + " s";
  corelab.count = v => Math.round(v).toLocaleString("en");
  const brief = text => text.replace(/\.0+(?= |$)/, "").replace(/(\.\d*?)0+(?= |$)/, "$1");

  // part returns the figure's element of that class, made where it was not there.
  const part = (figure, name) => {
    let e = figure.querySelector("." + name);
    if (!e) figure.append(e = element("div", { class: name }));
    return e;
  };
  const lacking = (figure, why) => {
    part(figure, "legend").replaceChildren();
    part(figure, "plot").replaceChildren(element("p", { class: "lack" }, why));
  };

  // ——— Lines

  const MARKS = [
    (c, x, y, r) => c.arc(x, y, r, 0, 7),
    (c, x, y, r) => c.rect(x - r, y - r, 2 * r, 2 * r),
    (c, x, y, r) => { c.moveTo(x, y - 1.3 * r); c.lineTo(x + 1.2 * r, y + r); c.lineTo(x - 1.2 * r, y + r); c.closePath(); },
    (c, x, y, r) => { c.moveTo(x, y - 1.4 * r); c.lineTo(x + 1.4 * r, y); c.lineTo(x, y + 1.4 * r); c.lineTo(x - 1.4 * r, y); c.closePath(); },
    (c, x, y, r) => { c.moveTo(x, y + 1.3 * r); c.lineTo(x + 1.2 * r, y - r); c.lineTo(x - 1.2 * r, y - r); c.closePath(); },
  ];
  const PATHS = ["M12 5a3.5 3.5 0 1 0 .01 0z", "M9 5.5h6v6H9z", "M12 4l4 7.5H8z", "M12 4l4.5 4.5L12 13 7.5 8.5z", "M12 13l4-7.5H8z"];

  const swatch = (i, marked) => {
    const s = shape("svg", { width: 24, height: 17, "aria-hidden": "true" });
    s.append(shape("line", { x1: 0, x2: 24, y1: 8.5, y2: 8.5, stroke: colourOf(i), "stroke-width": 2.5, "stroke-dasharray": dashOf(i).join(" ") }));
    if (marked) s.append(shape("path", { d: PATHS[i % PATHS.length], fill: colourOf(i) }));
    return s;
  };

  // lines draws series [{name, index, x, y, lo, hi, hollow}] into a figure; o: xLabel, xText, xSplits, xLog, yLog, yText, marks, from0.
  function lines(figure, series, o) {
    const plot = part(figure, "plot"), legend = part(figure, "legend");
    const xs = [...new Set(series.flatMap(s => s.x))].sort((a, b) => a - b);
    const at = new Map(xs.map((x, i) => [x, i]));
    const spread = (s, values) => {
      const out = new Array(xs.length).fill(null);
      s.x.forEach((x, i) => { out[at.get(x)] = values[i]; });
      return out;
    };
    const table = series.map(s => ({ ...s, values: spread(s, s.y), low: s.lo && spread(s, s.lo), high: s.hi && spread(s, s.hi), open: s.hollow && spread(s, s.hollow) }));
    const off = figure.hiddenNames = figure.hiddenNames || new Set();
    legend.replaceChildren(...table.map((s, k) => {
      const b = element("button", { type: "button", "aria-pressed": String(!off.has(s.name)) });
      b.append(swatch(s.index, o.marks), document.createTextNode(s.name));
      b.addEventListener("click", () => {
        const show = off.has(s.name);
        if (show) off.delete(s.name); else off.add(s.name);
        b.setAttribute("aria-pressed", String(show));
        u.setSeries(k + 1, { show });
      });
      return b;
    }));
    const tip = element("div", { class: "tip", hidden: "" });
    const ink = () => variable("--soft"), rule = () => variable("--grid");
    const font = '12px system-ui, "Liberation Sans", Arial, sans-serif';
    const marks = u => {
      const c = u.ctx, r = 4 * devicePixelRatio;
      c.save();
      c.beginPath();
      c.rect(u.bbox.left - r, u.bbox.top - r, u.bbox.width + 2 * r, u.bbox.height + 2 * r);
      c.clip();
      table.forEach((s, k) => {
        if (!u.series[k + 1].show || !(o.marks || s.marks)) return;
        c.strokeStyle = c.fillStyle = colourOf(s.index);
        c.lineWidth = 1.5 * devicePixelRatio;
        s.values.forEach((v, i) => {
          if (v == null) return;
          const x = u.valToPos(xs[i], "x", true), y = u.valToPos(v, "y", true);
          if (s.low && s.low[i] > 0 && s.high[i] > s.low[i]) {
            c.beginPath();
            c.moveTo(x, u.valToPos(s.low[i], "y", true));
            c.lineTo(x, u.valToPos(s.high[i], "y", true));
            c.stroke();
          }
          c.beginPath();
          MARKS[s.index % MARKS.length](c, x, y, r * 0.8);
          if (s.open && s.open[i]) { c.save(); c.fillStyle = variable("--paper"); c.fill(); c.restore(); c.stroke(); } else c.fill();
        });
      });
      c.restore();
    };
    const point = u => {
      const i = u.cursor.idx;
      const rows = i == null ? [] : table.filter((s, k) => u.series[k + 1].show && s.values[i] != null).sort((a, b) => b.values[i] - a.values[i]);
      tip.hidden = rows.length === 0;
      if (tip.hidden) return;
      tip.replaceChildren(element("b", {}, o.xText(xs[i]) + (o.xUnit || "")), ...rows.slice(0, 12).map(s => {
        const line = element("i");
        const name = element("span");
        name.append(swatch(s.index, false), document.createTextNode(" " + s.name));
        line.append(name, element("span", {}, o.yText(s.values[i])));
        return line;
      }));
      const left = u.cursor.left + u.over.offsetLeft, right = plot.clientWidth - left;
      tip.style.left = left < right ? left + 12 + "px" : "auto";
      tip.style.right = left < right ? "auto" : right + 12 + "px";
      tip.style.top = "4px";
    };
    plot.replaceChildren();
    const wide = text => Math.max(...text.map(t => t.length));
    const u = new uPlot({
      width: Math.max(plot.clientWidth, 200), height: Math.max(plot.clientHeight, 120),
      legend: { show: false }, padding: [10, 30, 0, 0],
      cursor: { points: { show: false }, drag: { x: false, y: false } },
      scales: {
        x: { time: false, distr: o.xLog ? 3 : 1, range: () => o.xLog ? [xs[0] / 1.08, xs[xs.length - 1] * 1.08] : [o.xFrom ?? xs[0], xs[xs.length - 1] === xs[0] ? xs[0] + 1 : xs[xs.length - 1]] },
        y: { distr: o.yLog ? 3 : 1, range: (u, lo, hi) => range(lo, hi, o) },
      },
      axes: [
        { stroke: ink, font, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule, width: 1 }, label: o.xLabel, labelFont: font, labelSize: 18, size: 28,
          splits: o.xSplits ? () => o.xSplits : undefined, values: (u, v) => v.map(x => x == null ? "" : o.xText(x)), filter: (u, v) => v },
        { stroke: ink, font, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule, width: 1 },
          size: (u, v) => v ? 16 + 6.8 * wide(v) : 60,
          splits: o.yLog ? u => logSplits(u.scales.y.min, u.scales.y.max) : undefined, filter: (u, v) => v, values: (u, v) => v.map(y => y == null ? "" : brief(o.yText(y))) },
      ],
      series: [{}, ...table.map(s => ({
        label: s.name, stroke: colourOf(s.index), width: 2, dash: dashOf(s.index), spanGaps: true, show: !off.has(s.name), points: { show: false },
      }))],
      hooks: { draw: [marks], setCursor: [point] },
    }, [xs, ...table.map(s => s.values)], plot);
    plot.append(tip);
    plot.setAttribute("tabindex", "0");
    plot.setAttribute("role", "group");
    plot.setAttribute("aria-label", (figure.querySelector("figcaption") || figure).textContent.trim() + ": " + series.map(s => s.name).join(", ") + ". Left and right move the cursor.");
    plot.onkeydown = e => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      if (!step) return;
      e.preventDefault();
      const i = Math.min(xs.length - 1, Math.max(0, (u.cursor.idx ?? (step > 0 ? -1 : xs.length)) + step));
      u.setCursor({ left: u.valToPos(xs[i], "x"), top: 10 });
    };
    plot.onblur = () => u.setCursor({ left: -10, top: -10 });
    figure.chart = u;
    return u;
  }

  function range(lo, hi, o) {
    if (lo == null || hi == null) return [o.yLog ? 1 : 0, o.yLog ? 10 : 1];
    if (!o.yLog) return [o.from0 ? 0 : lo, hi > 0 ? hi * 1.08 : 1];
    return [lo / 1.15, hi * 1.15];
  }

  // logSplits are the decades, with 2 and 5 between them where there is room.
  function logSplits(lo, hi) {
    const decades = Math.log10(hi / lo), steps = decades > 4 ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 3, 5, 7], out = [];
    for (let e = Math.floor(Math.log10(lo)); e <= Math.log10(hi); e++)
      for (const s of steps) { const v = s * 10 ** e; if (v >= lo && v <= hi) out.push(v); }
    return out;
  }

  const indexOf = (data, name) => Math.max(0, data.targets.findIndex(t => t.name === name));

  // inOrder are cells in the order of their targets, as all legends have it.
  const inOrder = (cells, data) => [...cells].sort((a, b) => indexOf(data, a.target) - indexOf(data, b.target));

  // percentText is the percentile at so many decades: 0.301 is 50 %, 3 is 99.9 %.
  function percentText(decades) {
    const beyond = 100 * 10 ** -decades, places = Math.max(0, Math.ceil(decades - 2 - 1e-9));
    return (100 - beyond).toFixed(decades % 1 && decades > 1 ? places + 1 : places) + " %";
  }

  corelab.percentiles = function (figure, cells, data) {
    const shown = inOrder(cells.filter(c => c.latency), data);
    if (!shown.length) return lacking(figure, "No latencies are in the record.");
    const series = shown.map(c => ({ name: c.target, index: indexOf(data, c.target), x: c.latency.decades, y: c.latency.ns, marks: !c.latency.whole }));
    const end = Math.max(...series.map(s => s.x[s.x.length - 1]));
    return lines(figure, series, {
      xFrom: 0, xSplits: [Math.log10(2), 1, 2, 3, 4, 5, 6, 7].filter(x => x <= end + 0.01), xText: percentText, yText: corelab.time, yLog: true,
      xLabel: "answered within (percentile)",
    });
  };

  corelab.overConnections = function (figure, cells, data) {
    const which = figure.dataset.figure || "throughput", tail = which === "p99";
    const series = data.targets.map((t, index) => {
      const seen = new Set();
      const points = cells.filter(c => c.target === t.name && c[which] && !seen.has(c.connections) && seen.add(c.connections)).sort((a, b) => a.connections - b.connections);
      return { name: t.name, index, x: points.map(c => c.connections), y: points.map(c => c[which].median), lo: points.map(c => c[which].lo),
        hi: points.map(c => c[which].hi), hollow: points.map(c => Boolean(c.doubtful)) };
    }).filter(s => s.x.length);
    if (!series.length) return lacking(figure, tail ? "No p99 is in the record." : "No throughput is in the record.");
    const at = [...new Set(series.flatMap(s => s.x))].sort((a, b) => a - b);
    return lines(figure, series, { xLog: at[0] > 0, xSplits: at, xText: corelab.count, xUnit: " connections", yText: tail ? corelab.time : corelab.count,
      yLog: tail, from0: true, marks: true, xLabel: "connections" });
  };

  corelab.course = function (figure, cells, data) {
    const which = figure.dataset.figure || "throughput";
    const series = inOrder(cells, data).filter(c => c.course && (c.course[which] || []).length).map(c => ({ name: c.target, index: indexOf(data, c.target), x: c.course.ends.slice(0, c.course[which].length), y: c.course[which] }));
    if (!series.length) return lacking(figure, "Not recorded: the trials were too short, or were made by another generator or an older corelab.");
    return lines(figure, series, { xFrom: 0, xText: v => brief(digits(v)), xUnit: " s", from0: true, xLabel: "seconds from the begin of the window",
      yText: which === "throughput" ? corelab.count : v => Math.round(100 * v) + " %" });
  };

  // ——— Stacked bars

  const ROW = 27;
  const PLAIN = { user: "#009e73", system: "#0072b2", cpu: "#999999" }; // of costs that are not known by layer

  // on is what can be read on a colour, "#rrggbb": dark or white.
  corelab.on = function (colour) {
    const [r, g, b] = [1, 3, 5].map(i => parseInt(colour.slice(i, i + 2), 16) / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b < 0.18 ? "#ffffff" : "#111111";
  };

  corelab.bars = function (figure, cells, data) {
    const plot = part(figure, "plot"), legend = part(figure, "legend");
    const shown = cells.filter(c => c.cpu);
    if (!shown.length) return lacking(figure, "No cost per request is in the record.");
    const layered = shown.some(c => c.layers);
    const kinds = data.layers.filter(l => shown.some(c => c.layers && c.layers[l.name])).map(l => ({ name: l.name, color: l.color }));
    if (shown.some(c => !c.layers && c.user)) kinds.push({ name: "user (as sampled)", color: PLAIN.user, plain: "user" }, { name: "system (as sampled)", color: PLAIN.system, plain: "system" });
    if (shown.some(c => !c.layers && !c.user)) kinds.push({ name: "CPU, not split", color: PLAIN.cpu, plain: "cpu" });
    const width = Math.max(plot.clientWidth, 260), numbers = 64;
    const names = Math.min(Math.round(width * 0.28), 24 + Math.ceil(6.8 * Math.max(...shown.map(c => c.target.length))));
    const room = width - names - numbers, most = Math.max(...shown.map(c => c.cpu.median));
    const svg = shape("svg", { width, height: ROW * shown.length, role: "img" });
    svg.append(shape("title", {}, "CPU per request, µs: " + shown.map(c => c.target + " " + digits(c.cpu.median / 1e3)).join(", ")));
    const order = [...shown].sort((a, b) => a.cpu.median - b.cpu.median);
    order.forEach((c, row) => {
      const y = row * ROW + 3;
      const label = shape("text", { x: names - 6, y: y + 15, "text-anchor": "end" }, shorten(c.target, names) + (c.doubtful && c.verdict !== "generator-bound" ? " ?" : ""));
      label.append(shape("title", {}, c.target + (c.verdict ? ": " + c.verdict : "")));
      svg.append(label);
      let x = names;
      for (const k of kinds) {
        const ns = k.plain ? (c.layers ? 0 : k.plain === "cpu" ? (c.user ? 0 : c.cpu.median) : (c[k.plain] || {}).median || 0) : (c.layers || {})[k.name] || 0;
        const w = room * ns / most;
        if (!(w > 0.2)) continue;
        const r = shape("rect", { x, y, width: w, height: ROW - 7, fill: k.color, stroke: variable("--paper"), "stroke-width": 0.75 });
        r.append(shape("title", {}, c.target + ": " + k.name + " " + digits(ns / 1e3) + " µs, " + Math.round(100 * ns / c.cpu.median) + " %"));
        svg.append(r);
        if (w > 34) svg.append(shape("text", { x: x + w / 2, y: y + 14, "text-anchor": "middle", class: "inside", "pointer-events": "none", fill: corelab.on(k.color) }, Math.round(100 * ns / c.cpu.median) + " %"));
        x += w;
      }
      svg.append(shape("text", { x: Math.max(x, names + room * c.cpu.median / most) + 6, y: y + 15 }, digits(c.cpu.median / 1e3) + " µs"));
    });
    plot.replaceChildren(svg);
    legend.replaceChildren(...kinds.map(k => {
      const key = element("span", { class: "key" });
      const s = shape("svg", { width: 16, height: 12, "aria-hidden": "true" });
      s.append(shape("rect", { width: 16, height: 12, fill: k.color }));
      key.append(s, document.createTextNode(k.name));
      return key;
    }));
    const without = [...new Set(shown.filter(c => !c.layers && c.lack && layered).map(c => c.target + ": " + c.lack))];
    if (without.length) legend.append(element("span", { class: "key" }, "not by layer: " + without.join("; ")));
  };

  const shorten = (name, room) => name.length * 6.6 > room - 8 ? name.slice(0, Math.max(3, Math.floor((room - 8) / 6.6) - 1)) + "…" : name;

  // ——— All of a page

  const KINDS = { percentiles: corelab.percentiles, connections: corelab.overConnections, bars: corelab.bars, course: corelab.course };
  const drawn = new Map(); // figure → what draws it
  const waiting = new Set();

  const paint = figure => {
    waiting.delete(figure);
    seen.unobserve(figure);
    try {
      drawn.get(figure)();
    } finally {
      figure.dataset.drawn = "yes";
    }
  };
  const seen = new IntersectionObserver(entries => {
    for (const e of entries) if (e.isIntersecting && waiting.has(e.target)) paint(e.target);
  }, { rootMargin: "600px" });
  const sized = new ResizeObserver(entries => {
    for (const { target } of entries) {
      const figure = target.closest("figure");
      if (!figure || waiting.has(figure) || figure.lastWidth === target.clientWidth) continue;
      figure.lastWidth = target.clientWidth;
      requestAnimationFrame(() => { if (drawn.has(figure) && !waiting.has(figure)) drawn.get(figure)(); });
    }
  });

  const matches = (figure, c) => ["scenario", "case", "generator", "loop", "placement"].every(k => figure.dataset[k] === undefined || figure.dataset[k] === (c[k] || ""));

  corelab.draw = function (root, data) {
    for (const figure of root.querySelectorAll("figure.chart")) {
      const kind = KINDS[figure.dataset.chart];
      if (!kind) continue;
      const cells = data.cells.filter(c => matches(figure, c));
      drawn.set(figure, () => { figure.lastWidth = part(figure, "plot").clientWidth; kind(figure, cells, data); });
    }
    for (const figure of root.querySelectorAll("figure.flame")) {
      const graphs = (data.flames || []).filter(f => matches(figure, f) && f.target === figure.dataset.target);
      drawn.set(figure, () => corelab.flame(figure, graphs, data));
    }
    for (const figure of root.querySelectorAll("figure.chart, figure.flame")) {
      if (!drawn.has(figure) || figure.dataset.drawn) continue;
      waiting.add(figure);
      seen.observe(figure);
      if (figure.matches(".chart")) sized.observe(part(figure, "plot"));
    }
  };
  const forget = () => { for (const f of drawn.keys()) if (!f.isConnected) { drawn.delete(f); waiting.delete(f); } };
  corelab.drawNow = function (figure) { if (drawn.has(figure)) paint(figure); };
  corelab.redraw = function () {
    forget();
    for (const [figure, again] of drawn) if (!waiting.has(figure)) again();
  };
  corelab.drawAll = function () {
    forget();
    for (const figure of [...waiting]) paint(figure);
  };
})();
