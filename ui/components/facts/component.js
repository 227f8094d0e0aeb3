// Panels of facts: a heading, rows of label, value and where the value is from, a note and a button.

class Facts extends Redrawn {
  draw(data) {
    this.host.classList.toggle("wide", Boolean(data.wide));
    this.host.replaceChildren(...data.panels.map((panel) => h("section", { class: "panel" },
      h("div", { class: "caps" }, panel.heading),
      facts(panel.rows),
      panel.details ? h("details", null, h("summary", null, panel.details.label), facts(panel.details.rows)) : "",
      panel.note ? h("p", { class: "muted" }, panel.note) : "",
      panel.action ? this.button(panel.action) : "")));
  }

  button(action) {
    const button = h("button", { class: "btn", type: "button", data: { act: action.name } }, action.label);
    button.onclick = () => this.out.send(action.name, null, true);
    return button;
  }
}

function facts(rows) {
  return h("dl", null, rows.map(([label, value, source]) => h("div", { class: "fact" }, h("dt", null, label),
    h("dd", null, value, source ? h("div", { class: "source" }, source) : ""))));
}

export default function (component) {
  return mount(component, Facts);
}
