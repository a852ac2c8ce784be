// Flame graphs from trees of frames (FlameGraph in flame.go): the root is at the top, and a frame as wide as its part of the
// time. A click, or Enter, zooms; Escape shows all again; the arrows walk through the tree.
//
//   corelab.hold(figure, kind, target)      draws a figure again: that kind of profile, held against another target
//   corelab.flame(figure, graphs, data)   graphs: of one target, one a kind; data: of the record, for its layers and
//                                        the graphs to hold against
(function () {
  "use strict";
  const corelab = window.corelab = window.corelab || {};
  const HEIGHT = 17, NARROW = 1.5; // px
  const KINDS = { "cpu": "CPU", "off-cpu": "waiting (off-CPU)", "go-cpu": "CPU, by Go", "go-heap": "heap (Go)", "go-block": "blocking (Go)", "go-mutex": "locks (Go)" };
  const element = corelab.element;

  const amount = (v, unit) => unit === "nanoseconds" ? corelab.time(v) : corelab.count(v) + " " + unit;
  const percent = part => (100 * part).toFixed(part < 0.0995 ? 2 : 1) + " %";

  // hung returns the nodes of a tree with what the drawing needs: parent, depth, where they begin, as parts of the whole.
  function hung(graph) {
    const nodes = [];
    (function walk(frame, parent, depth, begin, path) {
      const node = { frame, parent, depth, begin, name: graph.names[frame.n], path: path + "\n" + graph.names[frame.n], children: [] };
      if (parent) parent.children.push(node);
      nodes.push(node);
      let at = begin;
      for (const c of frame.c || []) { walk(c, node, depth + 1, at, node.path); at += c.v; }
    })(graph.root, null, 0, 0, "");
    return nodes;
  }

  // sharesOf is what part of the time each function takes with all that it calls, wherever it is called from: two servers
  // hardly have a whole stack in common, but many functions.
  const sharesOf = graph => {
    const shares = new Map();
    for (const n of hung(graph)) {
      let within = false;
      for (let p = n.parent; p && !within; p = p.parent) within = p.name === n.name;
      if (!within) shares.set(n.name, (shares.get(n.name) || 0) + n.frame.v / graph.root.v);
    }
    return shares;
  };

  corelab.hold = function (figure, kind, target) {
    figure.flameState = { kind, search: "", against: target, zoom: null };
    corelab.drawNow(figure);
  };

  corelab.flame = function (figure, graphs, data) {
    let bar = figure.querySelector(".bar");
    if (!bar) {
      bar = element("div", { class: "bar" });
      figure.append(bar, element("div", { class: "box" }), element("div", { class: "line", role: "status" }));
    }
    const box = figure.querySelector(".box"), line = figure.querySelector(".line");
    const state = figure.flameState = figure.flameState || { kind: graphs.length ? graphs[0].kind : "", search: "", against: "", zoom: null };
    if (!graphs.length) {
      box.replaceChildren(element("p", { class: "lack" }, "No profile of this target is in the record."));
      return;
    }
    const graph = graphs.find(g => g.kind === state.kind) || graphs[0];
    const rivals = (data.flames || []).filter(g => g.root && g.kind === graph.kind && g.scenario === graph.scenario && (g.case || "") === (graph.case || "") && g.target !== graph.target);
    controls();
    if (!graph.root) {
      box.replaceChildren(element("p", { class: "lack" }, graph.lack || "There is no tree."));
      line.textContent = "";
      return;
    }
    const nodes = hung(graph), total = graph.root.v, layers = data.layers;
    const rival = rivals.find(g => g.target === state.against);
    const before = rival ? sharesOf(rival) : null, here = rival ? sharesOf(graph) : null;
    let zoomed = nodes.find(n => n.path === state.zoom) || nodes[0];
    let current = zoomed;
    render(false);

    function controls() {
      const kind = element("select", { "aria-label": "kind of profile" });
      for (const g of graphs) kind.append(new Option(KINDS[g.kind] || g.kind, g.kind, false, g === graph));
      kind.addEventListener("change", () => { state.kind = kind.value; state.zoom = null; corelab.flame(figure, graphs, data); });
      const against = element("select", { "aria-label": "hold against" });
      against.append(new Option("not held against another", ""));
      for (const g of rivals) against.append(new Option("against " + g.target, g.target, false, g.target === state.against));
      against.addEventListener("change", () => { state.against = against.value; corelab.flame(figure, graphs, data); });
      const search = element("input", { type: "search", placeholder: "find a function", "aria-label": "find a function", value: state.search });
      search.addEventListener("input", () => { state.search = search.value; render(false); });
      const all = element("button", { type: "button", class: "reset" }, "show all");
      all.addEventListener("click", () => zoom(nodes[0]));
      bar.replaceChildren(...(graphs.length > 1 ? [kind] : []), ...(rivals.length ? [against] : []), search, all);
    }

    function describe(n) {
      let text = n.name + " — " + (n.depth ? (layers[n.frame.l] || {}).name + ", " : "") + percent(n.frame.v / total) + ", " + amount(n.frame.v, graph.unit);
      if (before) {
        text += "; wherever it is called " + percent(here.get(n.name) || 0) + ", on " + rival.target + " " + percent(before.get(n.name) || 0);
      }
      return text;
    }

    function summary() {
      let text = (graph.idle ? "without " + amount(graph.idle, graph.unit) + " of idle CPU; " : "") + graph.samples.toLocaleString("en") + " samples of " + graph.event + "; " + amount(total, graph.unit) + " in all";
      if (before) text += "; orange: the function, wherever it is called, takes a larger part of the time than on " + rival.target + ", blue: a smaller one";
      if (state.search) {
        const found = matching().reduce((sum, n) => sum + n.frame.v, 0);
        text = "“" + state.search + "”: " + percent(found / total) + " of all";
      }
      return text;
    }

    // matching are the frames that were searched for, without those below another of them.
    function matching() {
      const want = state.search.toLowerCase();
      return nodes.filter(n => n.name.toLowerCase().includes(want) && !(function above(p) { return p && (p.name.toLowerCase().includes(want) || above(p.parent)); })(n.parent));
    }

    function zoom(n) {
      zoomed = current = n;
      state.zoom = n.path;
      render(true);
    }

    function colour(button, n) {
      if (state.search && n.name.toLowerCase().includes(state.search.toLowerCase())) { button.classList.add("found"); return; }
      if (!before) {
        const fill = n.depth < 1 ? "#c9ced6" : (layers[n.frame.l] || {}).color || "#999999";
        button.style.background = fill;
        button.style.color = corelab.on(fill);
        return;
      }
      const by = (here.get(n.name) || 0) - (before.get(n.name) || 0);
      const strength = Math.min(100, Math.round(100 * Math.sqrt(Math.abs(by) / 0.1)));
      button.style.background = n.depth < 2 ? "" : "color-mix(in srgb, var(" + (by > 0 ? "--more" : "--less") + ") " + strength + "%, var(--same))";
    }

    function render(focus) {
      const width = box.clientWidth || 600;
      const tree = element("div", { class: "tree", role: "tree", "aria-label": "flame graph of " + graph.target + ", " + (KINDS[graph.kind] || graph.kind) });
      const scale = width / zoomed.frame.v;
      const line0 = new Set();
      for (let p = zoomed.parent; p; p = p.parent) line0.add(p);
      let depth = 0, focused = null;
      for (const n of nodes) {
        const above = line0.has(n);
        const x = above ? 0 : (n.begin - zoomed.begin) * scale, w = above ? width : n.frame.v * scale;
        if (!above && (n.begin < zoomed.begin || n.begin + n.frame.v > zoomed.begin + zoomed.frame.v || n.depth < zoomed.depth || w < NARROW)) continue;
        depth = Math.max(depth, n.depth);
        const b = element("button", { type: "button", class: "frame", role: "treeitem", "aria-level": n.depth + 1, tabindex: n === current ? "0" : "-1" });
        if (w > 24) b.textContent = n.name;
        b.setAttribute("aria-label", describe(n));
        b.title = describe(n);
        if (above) b.classList.add("above");
        colour(b, n);
        b.style.left = (100 * x / width) + "%";
        b.style.width = (100 * Math.max(w, NARROW) / width) + "%";
        b.style.top = n.depth * HEIGHT + "px";
        b.node = n;
        n.button = b;
        if (n === current) focused = b;
        tree.append(b);
      }
      tree.style.height = (depth + 1) * HEIGHT + "px";
      tree.addEventListener("click", e => { if (e.target.node) zoom(e.target.node); });
      tree.addEventListener("mouseover", e => { line.textContent = e.target.node ? describe(e.target.node) : summary(); });
      tree.addEventListener("mouseleave", () => { line.textContent = summary(); });
      tree.addEventListener("focusin", e => { if (e.target.node) line.textContent = describe(e.target.node); });
      tree.addEventListener("keydown", walk);
      box.replaceChildren(tree);
      if (zoomed === nodes[0]) box.scrollTop = 0;
      line.textContent = focus && zoomed !== nodes[0] ? describe(zoomed) : summary();
      figure.dataset.zoomed = zoomed.name;
      if (focus && focused) focused.focus({ preventScroll: true });
    }

    function walk(e) {
      const n = e.target.node;
      if (!n) return;
      const visible = list => list.filter(c => c.button && c.button.isConnected);
      const siblings = n.parent ? visible(n.parent.children) : [n];
      const to = {
        ArrowUp: () => n.parent,
        ArrowDown: () => visible(n.children).sort((a, b) => b.frame.v - a.frame.v)[0],
        ArrowLeft: () => siblings[siblings.indexOf(n) - 1],
        ArrowRight: () => siblings[siblings.indexOf(n) + 1],
        Home: () => nodes[0],
      }[e.key];
      if (e.key === "Escape") {
        e.preventDefault();
        zoom(nodes[0]);
        return;
      }
      if (!to) return;
      e.preventDefault();
      const next = to();
      if (!next || !next.button || !next.button.isConnected) return;
      n.button.tabIndex = -1;
      next.button.tabIndex = 0;
      current = next;
      next.button.focus();
    }
  };
})();
