// What scrolls sideways can be reached with the keyboard, too.
function reachable() {
  for (const e of document.querySelectorAll(".bd-article *")) {
    const style = getComputedStyle(e);
    if (e.scrollWidth > e.clientWidth && ["auto", "scroll"].includes(style.overflowX)) {
      e.tabIndex = 0;
    }
  }
}
addEventListener("load", () => {
  reachable();
  window.MathJax?.startup?.promise?.then(reachable);
  document.fonts.ready.then(reachable);
  // A turned phone, a formula or a picture that comes late: the page gets another size.
  new ResizeObserver(reachable).observe(document.body);
});
