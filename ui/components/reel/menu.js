// Which reel is edited: the tray or one that was named, and the buttons that make, duplicate and delete named ones.

class ReelMenu {
  constructor(out) {
    this.out = out;
    this.choice = h("select", { class: "choice" });
    this.choice.onchange = () => this.out.send("open_reel", { reel: this.choice.value }, true);
    this.buttons = h("span", { class: "row" });
    this.el = h("div", { class: "menu" }, this.choice, this.buttons);
  }

  paint(data) {
    const key = JSON.stringify([data.reels, data.reel, data.labels]);
    if (key === this.key) return;
    this.key = key;
    const l = data.labels;
    this.el.hidden = !data.reels.length;
    this.choice.setAttribute("aria-label", l.reels);
    this.choice.replaceChildren(...data.reels.map((reel) => h("option", { value: reel.id, selected: reel.id === data.reel }, reel.label)));
    this.choice.value = data.reel;
    const focused = focusedIn(this.buttons);
    this.buttons.replaceChildren(...data.reel_actions.map((action) => {
      const b = h("button", { class: "pill", type: "button", data: { act: action.name } }, action.label);
      b.onclick = () => this.ask(b, action, data.reel);
      return b;
    }));
    focusAgain(this.buttons, focused);
  }

  // What cannot be undone is asked for once more, on the button itself.
  ask(button, action, reel) {
    if (action.confirm && button.textContent !== action.confirm) {
      button.textContent = action.confirm;
      setTimeout(() => { button.textContent = action.label; }, 5000);
      return;
    }
    this.out.send(action.name, { reel }, true);
  }
}
