// What is said in a scene, word by word: the word that is spoken is marked, a click plays from it, and a line can be
// corrected. Below it the tags, which can be added and removed, and what was corrected so far.

const PENCIL = ["M4 20l4.2-1 10.3-10.3a1.8 1.8 0 0 0 0-2.5l-.7-.7a1.8 1.8 0 0 0-2.5 0L5 15.8z"];

class Corrections {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    ICONS.pencil = PENCIL;
    this.said = h("section", { class: "said" });
    this.tags = h("section", { class: "tags" });
    this.made = h("section", { class: "made" });
    host.append(this.said, this.tags, this.made);
    this.onPlayhead = (event) => this.follow(event.detail);
    document.addEventListener("hx-playhead", this.onPlayhead);
  }

  update(data) {
    this.data = data;
    const key = JSON.stringify({ ...data, ack: null });
    if (key === this.key) return;
    this.key = key;
    const focused = focusedIn(this.host);
    // a line that is being corrected stays as it is: nobody's words are lost when the page is drawn again
    if (!this.editing) this.paintSaid();
    if (!this.isTyping()) this.paintTags();
    this.paintMade();
    focusAgain(this.host, focused);
  }

  // --- what is said -----------------------------------------------------------------------------

  paintSaid() {
    const { lines, labels: l } = this.data;
    this.words = [];
    this.current = null;
    this.said.replaceChildren(
      h("div", { class: "spread" }, h("h2", { class: "caps" }, l.transcript), l.rough ? h("span", { class: "rough" }, l.rough) : ""),
      lines.length ? h("div", { class: "box" }, ...lines.map((line) => this.line(line))) : h("p", { class: "muted" }, l.no_speech),
      lines.some((line) => line.inside) ? "" : this.addButton());
  }

  addButton() {
    const { labels: l, scene, busy } = this.data;
    const add = h("button", { class: "btn", type: "button", disabled: busy, data: { act: "add line" } }, l.add_line);
    add.onclick = () => this.edit(add, { start: scene[0], end: scene[1], text: "" });
    return add;
  }

  line(line) {
    const { labels: l, busy } = this.data;
    const at = h("button", { class: "at mono", type: "button", "aria-label": fillText(l.play_from, { time: clock(line.start) }) }, clock(line.start));
    at.onclick = () => this.play(line.start);
    const text = h("p", { class: "text" });
    if (line.words.length) {
      for (const [word, start, end] of line.words) {
        const el = h("span", { class: "word" }, word);
        el.onclick = () => this.play(start);
        this.words.push({ el, start, end });
        text.append(el, " ");
      }
    } else {
      const el = h("span", { class: "word" }, line.text);
      el.onclick = () => this.play(line.start);
      this.words.push({ el, start: line.start, end: line.end });
      text.append(el);
    }
    const edit = h("button", { class: "edit", type: "button", disabled: busy, "aria-label": fillText(l.edit, { time: clock(line.start) }), title: busy ? l.busy : l.edit_short, data: { act: `edit ${line.start}` } }, icon("pencil"));
    const row = h("div", { class: line.inside ? "line inside" : "line" }, at, text, edit);
    edit.onclick = () => this.edit(row, line);
    return row;
  }

  play(time) {
    document.dispatchEvent(new CustomEvent("hx-seek", { detail: { time, play: true } }));
  }

  edit(row, line) {
    const { labels: l } = this.data;
    const area = h("textarea", { rows: 3, maxlength: 4000, "aria-label": fillText(l.edit, { time: clock(line.start) }) });
    area.value = line.text;
    const done = (save) => {
      this.editing = false;
      const text = area.value.replace(/\s+/g, " ").trim();
      if (save && text !== line.text) this.out.send("say", { start: line.start, end: line.end, text }, (earlier) => earlier.start === line.start);
      this.paintSaid();
    };
    area.onkeydown = (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); done(true); }
      if (event.key === "Escape") { event.preventDefault(); done(false); }
    };
    const save = h("button", { class: "btn primary", type: "button" }, l.save);
    save.onclick = () => done(true);
    const cancel = h("button", { class: "btn", type: "button" }, l.cancel);
    cancel.onclick = () => done(false);
    this.editing = true;
    row.replaceWith(h("div", { class: "editor" }, area, h("p", { class: "muted" }, l.edit_hint), h("div", { class: "row" }, save, cancel)));
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  }

  follow({ media, time }) {
    if (!this.data || media !== this.data.media || !this.words) return;
    const found = this.words.find((word) => time >= word.start - 0.02 && time < word.end) || null;
    if (found === this.current) return;
    if (this.current) this.current.el.classList.remove("now");
    this.current = found;
    if (found) found.el.classList.add("now");
  }

  // --- tags -------------------------------------------------------------------------------------

  isTyping() {
    return Boolean(this.input) && this.input.getRootNode().activeElement === this.input && this.input.value !== "";
  }

  paintTags() {
    const { tags, labels: l, busy } = this.data;
    const chips = tags.map((tag) => {
      const remove = h("button", { class: "remove", type: "button", disabled: busy, "aria-label": fillText(l.remove_tag, { tag }), title: l.remove, data: { act: `remove ${tag}` } }, icon("close"));
      remove.onclick = () => this.out.send("tag", { add: [], remove: [tag] });
      return h("span", { class: "tag" }, tag, remove);
    });
    const input = h("input", { type: "text", maxlength: 60, disabled: busy, placeholder: l.add_tag, "aria-label": l.add_tag, data: { act: "add tag" } });
    input.onkeydown = (event) => {
      if (event.key !== "Enter" || event.isComposing || !input.value.trim()) return;
      event.preventDefault();
      this.out.send("tag", { add: [input.value.trim()], remove: [] });
      input.value = "";
    };
    this.input = input;
    this.tags.replaceChildren(h("h2", { class: "caps" }, l.tags), h("div", { class: "chips" }, ...chips, input));
  }

  // --- what was corrected -----------------------------------------------------------------------

  paintMade() {
    const { made, labels: l, busy } = this.data;
    this.made.hidden = !made.length && !busy;
    this.made.replaceChildren(
      busy ? h("p", { class: "muted", role: "status" }, l.busy) : "",
      made.length ? h("details", null, h("summary", { class: "muted" }, l.corrections), ...made.map((one) => {
        const undo = h("button", { class: "link", type: "button", disabled: busy, "aria-label": fillText(l.undo_one, { edit: one.text }), data: { act: `undo ${one.id}` } }, l.undo);
        undo.onclick = () => this.out.send("undo", { id: one.id }, true);
        return h("div", { class: "spread edit-row" }, h("span", null, one.text, one.note ? h("span", { class: "muted" }, ` · ${one.note}`) : ""), undo);
      })) : "");
  }

  destroy() {
    document.removeEventListener("hx-playhead", this.onPlayhead);
  }
}

export default function (component) {
  return mount(component, Corrections);
}
