// What the pages of "corelab web" do beside showing themselves: the list of runs follows what is asked for and what happens,
// a run is watched while it goes on, and the lists to choose a cell from follow each other. Without this script all of it works
// by loading the page again. Pieces of pages come from this server as HTML that escapes all names; scripts in them would not run.
(function () {
  "use strict";

  // parsed is HTML as nodes.
  function parsed(html) {
    const made = document.createElement("template");
    made.innerHTML = html;
    return made.content;
  }

  // put replaces what is in a node, and leaves what the reader did there as it was: what is chosen, open and focused.
  function put(node, content) {
    const chosen = [...node.querySelectorAll("input:checked")].map(i => [i.name, i.value]);
    const open = new Set([...node.querySelectorAll("details[open]")].map(d => d.dataset.key));
    const at = node.contains(document.activeElement) ? document.activeElement : null;
    const focus = at && { name: at.name, value: at.type === "radio" ? at.value : null, href: at.getAttribute("href"), index: [...node.querySelectorAll("[tabindex], summary")].indexOf(at) };
    const scrolled = [...node.querySelectorAll(".scroll")].map(s => s.scrollLeft);
    node.replaceChildren(content);
    for (const [name, value] of chosen)
      for (const i of node.querySelectorAll("input[type=radio]")) if (i.name === name && i.value === value) i.checked = true;
    for (const d of node.querySelectorAll("details")) if (open.has(d.dataset.key)) d.open = true;
    node.querySelectorAll(".scroll").forEach((s, i) => { s.scrollLeft = scrolled[i] || 0; });
    if (!focus) return;
    const again = [...node.querySelectorAll("a, input, select, button")].find(e =>
      focus.name ? e.name === focus.name && (focus.value === null || e.value === focus.value) : focus.href && e.getAttribute("href") === focus.href) ||
      [...node.querySelectorAll("[tabindex], summary")][focus.index];
    if (again) again.focus({ preventScroll: true });
  }

  // piece fetches a part of a page and puts it into a node, unless a newer request overtook it, or it is as what is there: what is
  // being clicked at shall not be taken away for nothing.
  const newest = new WeakMap();
  const stateIn = node => { const e = node.querySelector("[data-state]"); return e ? e.dataset.state : null; };
  async function piece(node, address) {
    const mine = Symbol();
    newest.set(node, mine);
    let text;
    try {
      const answer = await fetch(address);
      if (!answer.ok) return;
      text = await answer.text();
    } catch (lost) {
      return; // the server ended; the page stays as it is
    }
    if (newest.get(node) !== mine) return;
    const content = parsed(text);
    if (stateIn(content) === null || stateIn(content) !== stateIn(node)) put(node, content);
  }

  // listen hears a server's events while the page is in sight: one that is not costs the measured machine nothing. A server
  // that tells as many pages as it may refuses another one, which the browser does not try again by itself.
  function listen(address, heard, state) {
    let source = null, over = false;
    const open = () => {
      if (source || over || document.hidden) return;
      source = new EventSource(address);
      source.onopen = () => state("");
      source.onerror = () => state(source && source.readyState === EventSource.CLOSED ? "Not told of news: too many pages are open, or the server ended. Load this page again." : "The connection is lost; trying again.");
      source.addEventListener("news", e => heard(e.data));
      source.addEventListener("over", e => { over = true; close(); heard(e.data); state("The run has ended."); });
    };
    const close = () => { if (source) source.close(); source = null; };
    document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    open();
  }

  const runs = document.getElementById("runs"), filter = document.getElementById("filter");
  if (runs) {
    const asked = () => {
      const q = new URLSearchParams();
      for (const [name, value] of new FormData(filter)) if (value) q.set(name, value);
      return q;
    };
    const show = () => {
      const q = asked();
      history.replaceState(null, "", q.size ? "/?" + q : "/");
      q.set("part", "runs");
      return piece(runs, "/?" + q);
    };
    let wait = 0;
    filter.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(show, 150); });
    filter.addEventListener("submit", e => { e.preventDefault(); clearTimeout(wait); show(); });
    listen(runs.dataset.follow, show, () => {});
  }

  const live = document.getElementById("live");
  if (live && live.dataset.events) {
    const link = document.getElementById("link");
    listen(live.dataset.events, html => put(live, parsed(html)), text => { link.textContent = text; });
  }

  const choose = document.getElementById("choose");
  if (choose) {
    choose.addEventListener("change", () => {
      const q = new URLSearchParams(new FormData(choose.closest("form")));
      q.set("part", "choose");
      piece(choose, "/beside?" + q);
    });
  }
})();
