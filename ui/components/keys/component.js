// The list of all keys, opened with "?" or by the event "hx-keys".

class Keys extends Redrawn {
  constructor(host, out) {
    super(host, out);
    this.dialog = h("dialog", { class: "keys", role: "dialog", "aria-labelledby": "keys-heading" });
    host.append(this.dialog);
    this.dialog.onclick = (event) => { if (event.target === this.dialog) this.dialog.close(); };  // beside it
    this.onKey = (event) => {
      if (event.key !== "?" || isTyping(event) || event.defaultPrevented) return;
      event.preventDefault();
      this.open();
    };
    this.onOpen = () => this.open();
    document.addEventListener("keydown", this.onKey);
    document.addEventListener("hx-keys", this.onOpen);
  }

  open() {
    if (!this.dialog.open) this.dialog.showModal();
  }

  draw(data) {
    const close = h("button", { class: "close", type: "button", "aria-label": data.close, title: data.close }, icon("close"));
    close.onclick = () => this.dialog.close();
    this.dialog.replaceChildren(
      h("div", { class: "spread" }, h("h2", { id: "keys-heading" }, data.heading), close),
      h("div", { class: "sections" }, ...data.sections.map((section) =>
        h("section", null, h("h3", { class: "caps" }, section.heading),
          h("dl", null, ...section.rows.map((row) => h("div", { class: "pair" },
            h("dt", null, ...row.keys.flatMap((key, n) => [n ? " " : "", h("kbd", null, key)])), h("dd", null, row.text))))))));
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("hx-keys", this.onOpen);
  }
}

export default function (component) {
  return mount(component, Keys);
}
