// A table of models with their state. A model that cannot be used has its error in a second row.

class Models extends Redrawn {
  draw(data) {
    this.host.replaceChildren(h("section", { class: data.heading ? "panel" : "plain" },
      data.heading ? h("div", { class: "caps" }, data.heading) : "",
      data.title ? h("div", { class: "title" }, data.title) : "",
      data.text ? h("p", { class: "muted" }, data.text) : "",
      this.table(data),
      facts(data.facts),
      data.details ? h("details", null, h("summary", null, data.details.label), facts(data.details.rows)) : ""));
  }

  table({ rows, labels }) {
    const names = ["kind", "model", "state", "size", "licence"];
    return h("table", null,
      h("thead", null, h("tr", null, names.map((name) => h("th", { scope: "col", class: name }, labels[name])))),
      h("tbody", null, rows.flatMap((row) => [
        h("tr", { class: row.state, data: { kind: row.kind, state: row.state } },
          h("th", { scope: "row", class: "kind" }, row.label),
          h("td", { class: "model", title: row.title }, h("span", { class: "name" }, row.name), row.note ? h("span", { class: "muted" }, ` ${row.note}`) : ""),
          h("td", { class: "state" }, row.state_label),
          h("td", { class: "size" }, row.size),
          h("td", { class: "licence" }, row.licence)),
        row.problem ? h("tr", { class: "problem" }, h("td", { colspan: names.length }, h("div", { class: "message" }, row.problem.message), h("div", { class: "muted" }, row.problem.hint))) : "",
      ])));
  }
}

function facts(rows) {
  return rows.length ? h("dl", null, rows.map(([label, value]) => h("div", { class: "fact" }, h("dt", { class: "muted" }, label), h("dd", null, value)))) : "";
}

export default function (component) {
  return mount(component, Models);
}
