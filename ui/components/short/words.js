// The words around the short. A click goes to a word; the two buttons make it the first or the last; dragging from one
// word to another makes them in and out.

class Words {
  constructor(editor) {
    this.editor = editor;
    this.list = h("div", { class: "list" });
    this.tools = h("span", { class: "row" });
    this.el = h("section", { class: "words" }, h("div", { class: "spread" }, h("h2", { class: "caps" }), this.tools), this.list);
    this.list.onpointerdown = (event) => this.begin(event);
  }

  paint() {
    const { data } = this.editor;
    const l = data.labels;
    this.el.firstChild.firstChild.textContent = l.words;
    const key = JSON.stringify([data.words, l.words]);
    if (key !== this.key) {
      this.key = key;
      this.buttons = data.words.map((word, at) => this.word(word, at));
      this.list.replaceChildren(...(this.buttons.length ? this.buttons.flatMap((b) => [b, " "]) : [h("span", { class: "muted" }, l.no_words)]));
      const tool = (edge, label) => {
        const b = h("button", { class: "btn", type: "button", data: { act: `word ${edge}` } }, label);
        b.onclick = () => this.use(edge);
        return b;
      };
      this.tools.replaceChildren(...(this.buttons.length ? [tool("start", l.first_word), tool("end", l.last_word)] : []));
      this.chosen = null;
    }
    const { start, end } = this.editor.draft;
    data.words.forEach(([, from, to], at) => this.buttons[at].classList.toggle("inside", from >= start - 0.05 && to <= end + 0.05));
    for (const b of this.tools.children) b.disabled = this.chosen === null;
  }

  word([text, start], at) {
    const b = h("button", { class: "word", type: "button", tabindex: at ? -1 : 0, title: precise(start), data: { at } }, text);
    b.onclick = () => { this.choose(at); this.editor.seek(start + 0.01); };
    b.onkeydown = (event) => {
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: this.buttons.length - 1 }[event.key];
      if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      const next = this.buttons[clamp(to, 0, this.buttons.length - 1)];
      next.focus();
      next.click();
    };
    return b;
  }

  choose(at) {
    this.chosen = at;
    this.buttons.forEach((b, n) => { b.tabIndex = n === at ? 0 : -1; b.classList.toggle("chosen", n === at); });
    for (const b of this.tools.children) b.disabled = false;
  }

  use(edge) {
    const word = this.editor.data.words[this.chosen];
    if (!word) return;
    this.editor.trim(edge, edge === "start" ? word[1] : word[2]);
    this.editor.sendTrim();
  }

  begin(event) {
    const first = Number(event.target.dataset?.at ?? NaN);
    if (Number.isNaN(first)) return;
    const root = this.el.getRootNode();
    const stop = (e) => {
      document.removeEventListener("pointerup", stop);
      const last = Number(root.elementFromPoint(e.clientX, e.clientY)?.dataset?.at ?? NaN);
      if (Number.isNaN(last) || last === first) return;
      const [a, b] = [this.editor.data.words[Math.min(first, last)], this.editor.data.words[Math.max(first, last)]];
      Object.assign(this.editor.draft, { start: a[1], end: Math.max(b[2], a[1] + SHORTEST) });
      this.editor.sendTrim();
      this.editor.paint();
    };
    document.addEventListener("pointerup", stop);
  }

  follow(now) {
    (this.editor.data.words || []).forEach(([, from, to], at) => this.buttons[at].classList.toggle("said", now >= from && now < to));
  }
}
