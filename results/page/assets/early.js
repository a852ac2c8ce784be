// Before the page is painted: what only scripts can show is made room for, and the theme is the one that was chosen last.
(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("js");
  try {
    var chosen = localStorage.getItem("corelab-theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch (denied) { /* a page from a file may have no storage */ }
})();
