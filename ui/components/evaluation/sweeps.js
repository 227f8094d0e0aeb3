// What a sweep found: the figures on held-out queries, and the heat map of the dial.

function figures({ heading, cards, verdict, settings, actions, more }, out) {
  return [
    heading ? h("h2", { class: "title" }, heading) : null,
    verdict ? h("p", { class: `verdict ${verdict.tone}`, role: "status" }, verdict.text) : null,
    cards.length ? h("div", { class: "cards" }, cards.map((card) => h("div", { class: "figure", title: card.title || null },
      h("div", { class: "muted" }, card.label), h("div", { class: "big" }, card.value), h("div", { class: card.tone || "muted" }, card.text)))) : null,
    settings ? h("p", { class: "muted" }, settings) : null,
    actions.length ? h("div", { class: "buttons" }, actions.map((action) =>
      sends(out, action.name, action.value ?? null, action.text, { kind: action.primary ? "btn primary" : "btn", act: `${action.name}-${action.value ?? ""}`, disabled: action.disabled }))) : null,
    more && more.length ? h("details", null, h("summary", null, more[0]), more.slice(1).map((line) => h("p", { class: "muted" }, line))) : null,
  ];
}

// Balance from left to right, keywords from top to bottom. One cell can be reached with Tab, the others with the arrows.
function heatmap({ heading, columns, rows, ends, low, high, cells, selected, best, labels, readout }, out) {
  const at = selected || best || { x: 0, y: 0 };
  const buttons = cells.map((row, y) => row.map((cell, x) => {
    if (!cell) return h("td", { class: "missing" });
    const isHere = x === at.x && y === at.y;
    const button = h("button", {
      class: "cell", type: "button", tabindex: isHere ? 0 : -1, title: cell.label, "aria-label": cell.label, "aria-pressed": String(Boolean(selected) && isHere),
      data: { act: `cell-${x}-${y}` } });
    button.style.setProperty("--share", `${Math.round(cell.share * 100)}%`);
    button.classList.toggle("best", Boolean(best) && best.x === x && best.y === y);
    button.onclick = () => out.send("cell", { x, y }, true);
    return h("td", null, button);
  }));
  const table = h("table", { class: "heatmap", "aria-label": heading },
    h("thead", null, h("tr", null, h("td", null), columns.map((column) => h("th", { scope: "col" }, column)))),
    h("tbody", null, buttons.map((row, y) => h("tr", null, h("th", { scope: "row" }, rows[y]), row))));
  table.onkeydown = (event) => moveInTable(event, table);
  return [
    h("h2", { class: "caps" }, heading),
    h("div", { class: "map" },
      h("div", { class: "spread ends" }, h("span", { class: "said" }, ends[0]), h("span", { class: "seen" }, ends[1])),
      h("div", { class: "scrolls" }, table),
      h("div", { class: "row legend muted" }, h("span", { class: "mono" }, low), h("span", { class: "ramp", "aria-hidden": "true" }), h("span", { class: "mono" }, high), h("span", null, labels.rows))),
    h("p", { class: "readout", role: "status" }, readout),
  ];
}

function moveInTable(event, table) {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const cell = event.composedPath()[0].closest && event.composedPath()[0].closest(".cell");
  if (!step || !cell || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  const [, x, y] = cell.dataset.act.split("-").map(Number);
  const next = table.querySelector(`[data-act="cell-${x + step[0]}-${y + step[1]}"]`);
  if (!next) return;
  cell.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
