// The buttons below the video, and why the scene was found.

class Details {
  constructor(out) {
    this.out = out;
    this.actions = h("div", { class: "actions" });
    this.explanation = h("section", { class: "explanation", hidden: true });
  }

  paint(data) {
    this.paintActions(data.actions || [], data.labels);
    this.paintExplanation(data.explanation);
  }

  paintActions(actions, labels) {
    const key = JSON.stringify([actions, labels]);
    if (key === this.actionsKey) return;
    this.actionsKey = key;
    this.actions.replaceChildren(...actions.map((action) => {
      const button = h("button", {
        class: action.primary ? "btn primary" : "btn", type: "button", disabled: action.disabled,
        "aria-label": action.title, title: action.title, data: { action: action.name },
      }, action.icon ? icon(action.icon) : "", action.label || "", action.key ? h("span", { class: "key", "aria-hidden": "true" }, action.key) : "");
      button.onclick = () => this.out.send(action.name, action.value === undefined ? null : action.value);
      return button;
    }));
    this.actions.hidden = !actions.length;
  }

  paintExplanation(explanation) {
    const key = JSON.stringify(explanation);
    if (key === this.explanationKey) return;
    this.explanationKey = key;
    this.explanation.hidden = !explanation;
    if (!explanation) return;
    this.explanation.replaceChildren(
      h("div", { class: "caps" }, explanation.heading),
      h("div", { class: "reasons" }, ...explanation.rows.map((row) => h("div", { class: `reason ${row.name}${row.long ? " long" : ""}`, title: row.title },
        h("span", { class: "label" }, row.label),
        h("span", { class: "rail" }, h("span", { class: "fill", style: { width: `${clamp(row.fill, 0, 1) * 100}%` } })),
        h("span", { class: row.quiet ? "value muted" : "value" }, row.value)))),
      explanation.note ? h("div", { class: "muted note" }, explanation.note) : "",
      ...explanation.fields.map((field) => h("div", { class: "field" },
        h("span", { class: "muted" }, field.label), " ", ...marked(field.text))));
  }
}
