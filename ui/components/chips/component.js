// The row above the results: what the search is limited to and what it is by, each with a button that takes it away;
// searching by a picture, saving the search. A picture can also be dropped or pasted anywhere on the query.

const PICTURE_SIDE = 512; // px; models look at less

class Chips {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.row = h("div", { class: "row" });
    this.file = h("input", { type: "file", accept: "image/*", hidden: true, tabindex: "-1" });
    this.file.onchange = () => { this.take(this.file.files[0]); this.file.value = ""; };
    this.message = h("p", { class: "message", role: "alert", hidden: true });
    host.append(this.row, this.file, this.message);
    this.listeners = {
      dragover: (event) => this.over(event),
      dragleave: (event) => { if (!event.relatedTarget) this.mark(false); },
      drop: (event) => this.drop(event),
      paste: (event) => this.paste(event),
    };
    for (const [name, listener] of Object.entries(this.listeners)) document.addEventListener(name, listener);
  }

  update(data) {
    this.data = data;
    const removed = new Set(this.out.waiting("remove").map((one) => JSON.stringify(one)));
    const chips = data.chips.filter((chip) => !removed.has(JSON.stringify({ name: chip.name, value: chip.value })));
    const key = JSON.stringify([{ ...data, ack: null }, chips]);
    if (key === this.key) return;
    this.key = key;
    if (this.naming) { this.chips.replaceChildren(...this.chipsOf(chips)); return; }
    const focused = focusedIn(this.host);
    this.chips = h("div", { class: "chips" }, ...this.chipsOf(chips));
    this.row.replaceChildren(this.chips, this.tools());
    focusAgain(this.host, focused);
  }

  chipsOf(chips) {
    const l = this.data.labels;
    const shown = chips.map((chip) => {
      const remove = h("button", { class: "remove", type: "button", "aria-label": fillText(l.remove, { filter: chip.label }), title: l.remove_short,
        data: { act: `remove ${chip.name} ${chip.value}` } }, icon("close"));
      remove.onclick = () => {
        this.out.send("remove", { name: chip.name, value: chip.value });
        this.update(this.data);
      };
      return h("span", { class: chip.tone ? `chip ${chip.tone}` : "chip", title: chip.label },
        chip.image ? h("img", { src: chip.image, alt: "" }) : "", h("span", { class: "label" }, chip.label), remove);
    });
    const notes = this.data.notes.map((note) => h("span", { class: "note muted" }, note));
    if (shown.length > 1) {
      const clear = h("button", { class: "link", type: "button", data: { act: "clear" } }, l.clear);
      clear.onclick = () => this.out.send("clear", null, true);
      shown.push(clear);
    }
    return [...shown, ...notes];
  }

  tools() {
    const l = this.data.labels;
    const picture = h("button", { class: "btn", type: "button", title: l.picture_hint, data: { act: "picture" } }, l.picture);
    picture.onclick = () => this.file.click();
    const save = h("button", { class: "btn", type: "button", hidden: !this.data.can_save, data: { act: "save" } }, l.save);
    save.onclick = () => this.askName();
    const searches = h("a", { class: "btn", href: this.data.searches, onclick: follow }, l.searches);
    const help = h("details", { class: "help" }, h("summary", { class: "btn", "aria-label": l.help, title: l.help }, "?"),
      h("div", { class: "pop" }, h("div", { class: "caps" }, l.help), h("dl", null, ...this.data.syntax.map(([write, means]) =>
        h("div", null, h("dt", null, write), h("dd", null, means))))));
    help.onkeydown = (event) => { if (event.key === "Escape") { help.open = false; help.firstChild.focus(); } };
    return h("div", { class: "tools" }, picture, save, searches, help);
  }

  askName() {
    const l = this.data.labels;
    this.naming = true;
    const input = h("input", { type: "text", maxlength: 100, value: this.data.name, "aria-label": l.name, placeholder: l.name });
    const done = (saved) => {
      this.naming = false;
      if (saved && input.value.trim()) this.out.send("save", { name: input.value.trim() });
      this.key = null;
      this.update(this.data);
    };
    input.onkeydown = (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter") { event.preventDefault(); done(true); }
      if (event.key === "Escape") { event.preventDefault(); done(false); }
    };
    const save = h("button", { class: "btn primary", type: "button" }, l.save);
    save.onclick = () => done(true);
    const cancel = h("button", { class: "btn", type: "button" }, l.cancel);
    cancel.onclick = () => done(false);
    this.row.lastChild.replaceWith(h("div", { class: "tools naming" }, input, save, cancel));
    input.focus();
    input.select();
  }

  // --- pictures ---------------------------------------------------------------------------------

  get query() {
    return document.querySelector(".st-key-hx-query");
  }

  hasPicture(transfer) {
    return Boolean(transfer) && [...transfer.items].some((item) => item.kind === "file" && item.type.startsWith("image/"));
  }

  isOnQuery(event) {
    return Boolean(this.query) && event.composedPath().some((target) => target === this.query || target === this.host);
  }

  mark(on) {
    if (this.query) this.query.classList.toggle("hx-drop", on);
  }

  over(event) {
    if (!this.hasPicture(event.dataTransfer)) return;
    event.preventDefault();
    this.mark(this.isOnQuery(event));
  }

  drop(event) {
    this.mark(false);
    if (!this.isOnQuery(event) || !event.dataTransfer.files.length) return;
    event.preventDefault();
    this.take(event.dataTransfer.files[0]);
  }

  paste(event) {
    if (!this.hasPicture(event.clipboardData) || (isInTextField(event) && !this.isOnQuery(event))) return;
    event.preventDefault();
    this.take([...event.clipboardData.files].find((file) => file.type.startsWith("image/")));
  }

  async take(file) {
    if (!file) return;
    this.message.hidden = true;
    try {
      this.out.send("picture", { data: await shrunk(file) }, true);
    } catch {
      this.message.textContent = fillText(this.data.labels.no_picture, { name: file.name });
      this.message.hidden = false;
    }
  }

  destroy() {
    this.mark(false);
    for (const [name, listener] of Object.entries(this.listeners)) document.removeEventListener(name, listener);
  }
}

// A picture as JPEG in base64, at most PICTURE_SIDE on its longer side. Throws for a file that is no picture.
async function shrunk(file) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, PICTURE_SIDE / Math.max(picture.width, picture.height));
  const canvas = h("canvas", { width: Math.max(1, Math.round(picture.width * scale)), height: Math.max(1, Math.round(picture.height * scale)) });
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return canvas.toDataURL("image/jpeg", 0.92).split(",")[1];
}

export default function (component) {
  return mount(component, Chips);
}
