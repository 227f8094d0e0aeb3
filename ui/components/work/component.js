// The card of a background task: title, progress, errors and buttons.

class Work {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.fill = h("span", { class: "fill" });
    this.rail = h("div", { class: "rail", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, this.fill);
  }

  update({ card, ack }) {
    // A clicked button stays disabled until its operation is acknowledged. `ack` is part of the key, so that it is
    // redrawn even if the card has not changed.
    const key = JSON.stringify([card, ack]);
    if (key === this.key) return;
    this.key = key;
    if (!card) { this.host.replaceChildren(); return; }
    const hasBar = card.fraction !== null;
    if (hasBar) {
      this.fill.style.width = `${clamp(card.fraction, 0, 1) * 100}%`;
      this.rail.setAttribute("aria-valuenow", String(Math.round(card.fraction * 100)));
      this.rail.setAttribute("aria-label", card.title);
    }
    const focused = this.host.getRootNode().activeElement;
    const focusedAction = focused && focused.dataset ? focused.dataset.act : null;
    this.host.replaceChildren(h("section", { class: `work ${card.tone} ${card.thin ? "thin" : ""}`, "aria-live": "polite" },
      h("div", { class: "info" },
        card.title ? h("div", { class: "title" }, card.title) : "",
        card.text ? h("div", { class: "text" }, card.text) : "",
        card.sub ? h("div", { class: "muted sub" }, card.sub) : "",
        card.problems.map((one) => h("div", { class: "problem", role: "alert" },
          h("div", { class: "message" }, one.title ? h("b", null, `${one.title}: `) : "", one.message), h("div", { class: "muted" }, one.hint)))),
      card.actions.length ? h("div", { class: "actions" }, card.actions.map((action) => this.button(action))) : "",
      hasBar ? this.rail : ""));
    const redrawn = focusedAction && this.host.querySelector(`[data-act="${focusedAction}"]`);
    if (redrawn) redrawn.focus();
  }

  button(action) {
    const button = h("button", { class: action.primary ? "btn primary" : "btn", type: "button", disabled: action.disabled, data: { act: action.name } }, action.label);
    button.onclick = () => { button.disabled = true; this.out.send(action.name, action.value, true); };
    return button;
  }
}

export default function (component) {
  return mount(component, Work);
}
