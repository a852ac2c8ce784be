// What makes a page of tables more than paper: sorting, opening rows, the theme, and all of it open for printing.
(function () {
  "use strict";
  const corelab = window.corelab = window.corelab || {};
  const root = document.documentElement;

  const valueOf = (body, column) => {
    const cell = body.rows[0].cells[column];
    if (!cell) return null;
    if (cell.dataset.sort !== undefined) return Number(cell.dataset.sort);
    if (!cell.classList.contains("text")) return null; // a number that is missing
    return cell.textContent.trim();
  };

  // sortable lets each heading of a table sort its rows: up, down, and as they were. Missing values stay last.
  corelab.sortable = function (table) {
    const heads = [...table.tHead.rows[0].cells], bodies = [...table.tBodies];
    heads.forEach((head, column) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const to = { none: "ascending", ascending: "descending", descending: "none" }[head.getAttribute("aria-sort") || "none"];
        for (const h of heads) h.removeAttribute("aria-sort");
        if (to !== "none") head.setAttribute("aria-sort", to);
        const sign = to === "descending" ? -1 : 1;
        const sorted = to === "none" ? bodies : [...bodies].sort((a, b) => {
          const x = valueOf(a, column), y = valueOf(b, column);
          if (x === null || y === null) return (x === null) - (y === null);
          return sign * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
        });
        table.append(...sorted);
      });
    });
  };

  // opens lets the button of a row show what stands behind it.
  corelab.opens = function (button) {
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", String(open));
      document.getElementById(button.getAttribute("aria-controls")).classList.toggle("open", open);
    });
  };

  // themed makes a button go through the themes: as the system has it, light, dark.
  corelab.themed = function (button) {
    const say = () => { button.textContent = "Theme: " + (root.dataset.theme || "as the system"); };
    button.addEventListener("click", () => {
      const next = { undefined: "light", light: "dark", dark: undefined }[String(root.dataset.theme)];
      if (next) root.dataset.theme = next; else delete root.dataset.theme;
      try {
        if (next) localStorage.setItem("corelab-theme", next); else localStorage.removeItem("corelab-theme");
      } catch (denied) { /* it holds for this page then */ }
      say();
      corelab.redraw();
    });
    say();
  };

  // start makes all tables and charts below a node work; data may be null where there are no charts.
  corelab.start = function (node, data) {
    for (const table of node.querySelectorAll("table.grid")) corelab.sortable(table);
    for (const button of node.querySelectorAll("button.why")) corelab.opens(button);
    if (!data) return;
    corelab.draw(node, data);
    for (const step of data.steps || [])
      for (const link of node.querySelectorAll("a[href]"))
        if (link.getAttribute("href") === step.file) leads(link, step);
  };

  // leads lets a link to the file of a difference show that difference in the page.
  function leads(link, step) {
    const figure = [...document.querySelectorAll("figure.flame")].find(f =>
      f.dataset.scenario === step.scenario && f.dataset.case === (step.case || "") && f.dataset.target === step.to);
    if (!figure) return;
    link.addEventListener("click", e => {
      e.preventDefault();
      corelab.hold(figure, "cpu", step.from);
      figure.scrollIntoView();
      figure.querySelector(".frame")?.focus({ preventScroll: true });
    });
  }

  const paper = matchMedia("print"), dark = matchMedia("(prefers-color-scheme: dark)");
  addEventListener("beforeprint", () => { corelab.drawAll(); corelab.redraw(); });
  paper.addEventListener("change", () => { if (paper.matches) corelab.drawAll(); corelab.redraw(); });
  dark.addEventListener("change", () => corelab.redraw());

  const theme = document.getElementById("theme");
  if (theme) corelab.themed(theme);
  const expand = document.getElementById("expand");
  if (expand) expand.addEventListener("click", () => {
    const whole = root.classList.toggle("whole");
    expand.setAttribute("aria-pressed", String(whole));
  });
  const data = document.getElementById("corelab-data");
  if (data) corelab.start(document, JSON.parse(data.textContent));
})();
