// The table of runs with their measures, the comparison of two of them query by query, and the scenes of both.

function runs({ heading, measures, rows, labels, notes }, out) {
  return [
    h("h2", { class: "title" }, heading),
    ...notes.map((note) => h("p", { class: "verdict", role: "status" }, note.text, " ", note.link ? linkTo(note.link.href, note.link.text, { class: "text-link" }) : null)),
    h("p", { class: "muted hint" }, labels.hint),
    h("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": heading }, h("table", { class: "runs" },
      h("thead", null, h("tr", null, h("th", { scope: "col" }, labels.compare), h("th", { scope: "col" }, labels.run),
        measures.map((measure) => h("th", { scope: "col", class: "number", title: measure.title }, measure.label)),
        h("th", null, h("span", { class: "hx-vh" }, labels.actions)))),
      h("tbody", null, rows.map((row) => runRow(row, measures, labels, out))))),
  ];
}

function runRow(row, measures, labels, out) {
  const choice = (side) => sends(out, "choose", { side, id: row.id }, side.toUpperCase(), {
    kind: "side", act: `${side}-${row.id}`, "aria-pressed": String(row.side === side), "aria-label": row[`choose_${side}`], title: row[`choose_${side}`] });
  return h("tr", { data: { run: row.id }, class: row.side ? "chosen" : "" },
    h("td", { class: "sides" }, choice("a"), choice("b")),
    h("th", { scope: "row" }, h("div", { class: "name" }, row.name), h("div", { class: "muted about" }, row.about)),
    measures.map((measure) => {
      const found = row.measures[measure.name];
      return found ? h("td", { class: "number", title: found.title },
        h("div", { class: found.best ? "mean best" : "mean" }, found.mean), h("div", { class: "muted interval" }, found.interval),
        h("div", { class: found.warn ? "unjudged warn" : "muted unjudged" }, found.unjudged)) : h("td", { class: "number muted" }, "–");
    }),
    h("td", { class: "actions" }, row.actions.map((action) =>
      sends(out, action.name, row.id, action.text, { kind: "btn small", act: `${action.name}-${row.id}`, "aria-label": action.label }))));
}

function comparison({ heading, text, measures, summary, rows, labels, selected }, out) {
  const largest = Math.max(0.05, ...rows.map((row) => Math.abs(row.delta)));
  return [
    h("h2", { class: "caps" }, heading),
    h("p", { class: "muted" }, text),
    summary.length ? h("table", { class: "summary" },
      h("thead", null, h("tr", null, [labels.measure, labels.delta, labels.p].map((column, at) => h("th", { scope: "col", class: at ? "number" : "" }, column)))),
      h("tbody", null, summary.map((row) => h("tr", null, h("th", { scope: "row" }, row.label),
        h("td", { class: `number ${row.tone}` }, row.delta, h("div", { class: "muted interval" }, row.interval)),
        h("td", { class: "number", title: row.title }, row.p))))) : null,
    measures.length > 1 ? h("div", { class: "pills", role: "group", "aria-label": labels.measure }, measures.map((measure) =>
      sends(out, "measure", measure.name, measure.label, { kind: "pill", act: `measure-${measure.name}`, "aria-pressed": String(measure.on) }))) : null,
    h("p", { class: "muted counts" }, labels.counts),
    h("div", { class: "deltas" }, rows.map((row) => deltaRow(row, largest, selected, out))),
  ];
}

function deltaRow(row, largest, selected, out) {
  const width = `${(50 * Math.abs(row.delta)) / largest}%`;
  const side = row.delta < 0 ? { right: "50%" } : { left: "50%" };
  const button = h("button", { class: "delta", type: "button", "aria-pressed": String(row.id === selected), title: row.title, data: { act: `query-${row.id}` } },
    h("span", { class: "text" }, row.text),
    h("span", { class: "axis", "aria-hidden": "true" }, h("span", { class: row.delta < 0 ? "bar loss" : "bar win", style: { width, ...side } })),
    h("span", { class: "value mono" }, row.value));
  button.onclick = () => out.send("query", row.id, true);
  return button;
}

// What both runs found for one query, beside each other.
function scenes({ heading, text, sides, labels, back }, out) {
  return [
    h("div", { class: "spread" }, h("h2", { class: "title" }, heading), sends(out, "query", null, labels.close, { kind: "btn small", act: "close" })),
    h("p", { class: "muted" }, text),
    h("div", { class: "both" }, sides.map((side) => h("section", { class: "found" },
      h("h3", null, h("b", { class: "letter" }, side.letter), " ", side.name, h("span", { class: "muted" }, ` ${side.value}`)),
      side.hits.length ? h("ol", null, side.hits.map((hit) => foundScene(hit, labels))) : h("p", { class: "muted" }, labels.nothing)))),
    back ? linkTo(back.href, back.text, { class: "btn" }) : null,
  ];
}

function foundScene(hit, labels) {
  return h("li", { class: hit.only ? "hit only" : "hit", data: { scene: hit.id } },
    h("a", { class: "open", href: hit.href, onclick: follow, "aria-label": hit.label },
      h("span", { class: "thumb" }, hit.thumbnail ? h("img", { src: hit.thumbnail, alt: "", loading: "lazy" }) : null, h("span", { class: "rank" }, `#${hit.rank}`))),
    h("div", { class: "about" }, h("div", { class: "where" }, hit.title), h("div", { class: "mono muted" }, hit.time), h("div", { class: `grade grade-${hit.grade ?? "none"}` }, hit.grade_text),
      hit.only ? h("div", { class: "muted" }, labels.only) : null));
}
