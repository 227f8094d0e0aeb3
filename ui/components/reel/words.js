// The words below the filmstrip. Some of them are chosen with the pointer, or with Shift and the arrow keys, to cut the
// clip to them.

class Words {
  // `cut` is called with the start and the end of the chosen words, in seconds of the video.
  constructor(cut) {
    this.cut = cut;
    this.items = [];
    this.at = 0;
    this.list = h("div", { class: "words", role: "listbox", "aria-multiselectable": "true" });
    this.list.onkeydown = (event) => this.key(event);
    this.list.onpointerdown = (event) => this.press(event);
    this.button = h("button", { class: "pill", type: "button", disabled: true, data: { act: "cut" } });
    this.button.onclick = () => this.cutToChosen();
    this.hint = h("span", { class: "muted" });
    this.el = h("div", { class: "said" }, this.list, h("div", { class: "row words-actions" }, this.button, this.hint));
  }

  paint(opened, clip, l) {
    const key = JSON.stringify([opened.id, opened.words]);
    if (key !== this.shownKey) {
      this.shownKey = key;
      const hadFocus = this.list.contains(this.list.getRootNode().activeElement);
      this.words = opened.words;
      this.chosen = null;
      this.items = opened.words.map((word, i) => h("span", { class: "word", role: "option", tabindex: "-1", "aria-selected": "false", data: { at: i } }, word.text));
      this.list.replaceChildren(...this.items.flatMap((item) => [item, " "]));
      this.at = Math.max(0, opened.words.findIndex((word) => word.start >= clip.start - 0.01));
      if (this.items.length) this.items[this.at].tabIndex = 0;
      if (hadFocus && this.items.length) this.items[this.at].focus({ preventScroll: true });
      this.scrollTo(this.items[this.at]);
    }
    this.el.hidden = false;
    this.list.hidden = !this.items.length;
    this.button.hidden = !this.items.length;
    this.list.setAttribute("aria-label", l.words);
    this.button.textContent = l.cut_to_words;
    this.hint.textContent = this.items.length ? l.words_hint : l.no_words;
    this.words.forEach((word, i) => {
      const middle = (word.start + word.end) / 2;
      this.items[i].classList.toggle("inside", middle >= clip.start && middle < clip.end);
    });
    this.paintChosen();
  }

  paintChosen() {
    const [first, last] = this.range;
    this.items.forEach((item, i) => item.setAttribute("aria-selected", String(i >= first && i <= last)));
    this.button.disabled = !this.chosen;
  }

  // The first and the last word that are chosen; none: an empty range.
  get range() {
    return this.chosen ? [Math.min(...this.chosen), Math.max(...this.chosen)] : [0, -1];
  }

  // Within the list only: the page stays where it is.
  scrollTo(item) {
    if (!item) return;
    const { list } = this;
    if (item.offsetTop < list.scrollTop || item.offsetTop + item.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = item.offsetTop - 8;
  }

  go(to, extends_) {
    const at = clamp(to, 0, this.items.length - 1);
    this.chosen = extends_ ? [this.chosen ? this.chosen[0] : this.at, at] : null;
    this.items[this.at].tabIndex = -1;
    this.at = at;
    this.items[at].tabIndex = 0;
    this.items[at].focus({ preventScroll: true });
    this.scrollTo(this.items[at]);
    this.paintChosen();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.items.length) return;
    const to = { ArrowLeft: this.at - 1, ArrowUp: this.at - 1, ArrowRight: this.at + 1, ArrowDown: this.at + 1, Home: 0, End: this.items.length - 1 }[event.key];
    const act = to !== undefined ? () => this.go(to, event.shiftKey)
      : event.key === " " ? () => { this.chosen = [this.at, this.at]; this.paintChosen(); }
        : event.key === "Enter" ? () => this.cutToChosen()
          : event.key === "Escape" && this.chosen ? () => { this.chosen = null; this.paintChosen(); } : null;
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  press(event) {
    const wordAt = (e) => {
      const found = this.list.getRootNode().elementFromPoint(e.clientX, e.clientY);
      const item = found && found.closest(".word");
      return item ? Number(item.dataset.at) : null;
    };
    const first = wordAt(event);
    if (first === null) return;
    event.preventDefault();
    const from = event.shiftKey ? (this.chosen ? this.chosen[0] : this.at) : first;
    this.go(first, false);
    const move = (e) => {
      const at = wordAt(e);
      if (at === null) return;
      this.chosen = [from, at];
      this.paintChosen();
    };
    move(event);
    const stop = () => {
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", stop);
      document.removeEventListener("pointercancel", stop);
    };
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", stop);
    document.addEventListener("pointercancel", stop);
  }

  cutToChosen() {
    if (!this.chosen) return;
    const [first, last] = this.range;
    this.chosen = null;
    this.paintChosen();
    this.cut(this.words[first].start, Math.max(...this.words.slice(first, last + 1).map((word) => word.end)));
  }
}
