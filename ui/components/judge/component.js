// Judging one scene after the other, by keys: 0 to 3 judge and go on, Left and Right go back and on, S skips, N writes a
// note, Space plays. The scenes of this query and of the next one are here, so that nothing waits for the server; what it
// has not answered yet is applied on top of its data. screen.js has the video.

class Judge {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.paces = [];
    this.screen = new Screen(() => this.out.send("renew", null, true));
    this.question = h("h2", { class: "question" });
    this.said = h("p", { class: "said-line muted" });
    this.grades = h("div", { class: "grades", role: "group" });
    this.keys = h("p", { class: "keys muted" });
    this.note = h("input", { type: "text", class: "note", maxlength: 500 });
    this.note.onkeydown = (event) => this.noteKey(event);
    this.note.onchange = () => this.saveNote();
    this.announce = h("p", { class: "hx-vh", role: "status" });
    this.nothing = h("div", { class: "nothing", hidden: true });
    this.left = h("aside", { class: "left" });
    this.facts = h("div");
    this.as = this.makeAs();
    this.right = h("aside", { class: "right" }, this.facts, this.as.form);
    this.middle = h("section", { class: "middle" }, this.question, this.screen.el, this.said, this.grades, this.note, this.keys);
    host.append(h("div", { class: "judging" }, this.left, h("div", { class: "centre" }, this.middle, this.nothing, this.announce), this.right));
    // Before the keys of other components, which hear the same ones.
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey, true);
  }

  update(data) {
    const isNew = !this.data || data.start !== this.data.start;
    this.data = data;
    this.items = data.items.map((item) => this.withWaiting(item));
    const isOpened = this.opening && this.items.some((item) => item.key === data.at && item.query_id === this.opening);
    // Where the server is behind, what is shown stays; so does the end.
    const isLost = this.at !== null && !this.items.some((item) => item.key === this.at);
    if (isNew || isOpened || isLost) this.at = data.at;
    if (isOpened) this.opening = null;
    this.paint();
  }

  // An item with what has been done to it and is not answered yet.
  withWaiting(item) {
    for (const sent of this.out.waiting("judge")) {
      if (sent.key === item.key) item = { ...item, grade: sent.grade, note: sent.reason };
    }
    return item;
  }

  get item() {
    return this.items.find((item) => item.key === this.at);
  }

  // --- what is done -----------------------------------------------------------------------------

  judge(grade) {
    const { item } = this;
    if (!item) return;
    this.send(item, grade, this.note.value.trim());
    this.countPace();
    this.announce.textContent = fillText(this.data.labels.judged, { grade });
    this.go(1, (other) => other.grade === null);
  }

  send(item, grade, reason) {
    this.items = this.items.map((one) => (one.key === item.key ? { ...one, grade, note: reason } : one));
    this.out.send("judge", { key: item.key, query_id: item.query_id, text: item.query, id: item.id, grade, reason }, (sent) => sent.key === item.key);
  }

  saveNote() {
    const { item } = this;
    const reason = this.note.value.trim();
    if (item && item.grade !== null && reason !== item.note) this.send(item, item.grade, reason);
  }

  // To the next scene that `fits`, or the one before; without one, to the end.
  go(step, fits = () => true) {
    const from = this.items.findIndex((item) => item.key === this.at);
    let to = from < 0 ? this.items.length : from + step;
    while (to >= 0 && to < this.items.length && !fits(this.items[to])) to += step;
    if (to < 0) return;
    const before = this.item;
    this.at = to < this.items.length ? this.items[to].key : null;
    const now = this.item;
    // The server sends the scenes of the query after this one.
    if (!now || !before || now.query_id !== before.query_id) this.out.send("at", now ? now.key : "", true);
    this.paint();
  }

  open(queryId) {
    this.opening = queryId;
    this.out.send("open", queryId, true);
  }

  // How long judging a scene takes: the mean of the last ones, without breaks.
  countPace() {
    const now = performance.now();
    if (this.judgedAt && now - this.judgedAt < 60000) this.paces = [...this.paces.slice(-19), (now - this.judgedAt) / 1000];
    this.judgedAt = now;
  }

  // The form that says in whose name is judged.
  makeAs() {
    const label = h("span", { class: "caps" });
    const field = h("input", { type: "text", class: "field" });
    const button = h("button", { class: "btn", type: "submit" });
    const form = h("form", { class: "as" }, h("label", null, label, field), button);
    form.onsubmit = (event) => {
      event.preventDefault();
      field.blur();
      this.out.send("judge_as", { name: field.value }, true);
    };
    return { label, field, button, form };
  }

  paintAs() {
    const { labels, judge } = this.data;
    this.as.label.textContent = labels.as;
    this.as.button.textContent = labels.as_action;
    this.as.field.placeholder = judge.own;
    this.as.field.maxLength = judge.max;
    if (this.as.field.getRootNode().activeElement !== this.as.field) this.as.field.value = judge.name;
  }

  // --- keys -------------------------------------------------------------------------------------

  key(event) {
    if (!this.host.isConnected || isTyping(event) || event.defaultPrevented || !this.data) return;
    const key = keyOf(event);
    if (event.shiftKey && !/^\d$/.test(key)) return;  // some keyboards have the digits with Shift
    if (key === " " && isOnControl(event) && !this.screen.el.contains(event.composedPath()[0])) return;
    const act = {
      " ": () => event.repeat || this.screen.toggle(),
      ArrowLeft: () => this.go(-1),
      ArrowRight: () => this.item && this.go(1),
      s: () => event.repeat || (this.item && this.go(1, (item) => item.grade === null)),
      n: () => this.item && this.note.focus(),
      ...Object.fromEntries(this.data.grades.map(({ grade }) => [String(grade), () => event.repeat || this.judge(grade)])),
    }[key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  noteKey(event) {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    if (event.isComposing) return;
    if (event.key === "Escape") this.note.value = (this.item && this.item.note) || "";
    event.preventDefault();
    this.note.blur();
  }

  // --- drawing ----------------------------------------------------------------------------------

  paint() {
    const { data, item } = this;
    this.middle.hidden = !item;
    this.nothing.hidden = Boolean(item);
    if (item) this.paintItem(item);
    else { this.screen.stop(); this.paintNothing(); }
    this.paintLeft();
    this.paintRight();
    this.paintAs();
    if (item && this.shown !== item.key) {
      this.shown = item.key;
      this.note.value = item.note || "";
    }
    const next = this.items[this.items.findIndex((one) => one.key === this.at) + 1];
    if (next && next.poster) new Image().src = next.poster;
    this.keys.textContent = data.labels.keys;
  }

  paintItem(item) {
    const l = this.data.labels;
    this.question.textContent = item.query;
    this.screen.show(item, l);
    this.said.textContent = item.said || l.no_speech;
    this.note.placeholder = l.note;
    this.note.setAttribute("aria-label", l.note);
    this.grades.setAttribute("aria-label", l.grades);
    const focused = focusedIn(this.grades);
    this.grades.replaceChildren(...this.data.grades.map(({ grade, label }) => {
      const button = h("button", { class: "grade", type: "button", "aria-pressed": String(item.grade === grade), data: { act: `grade-${grade}` } },
        h("b", null, grade), h("span", null, label));
      button.onclick = () => this.judge(grade);
      return button;
    }));
    focusAgain(this.grades, focused);
  }

  paintNothing() {
    const { labels, done } = this.data;
    const skipped = this.items.find((item) => item.grade === null);
    const back = h("button", { class: "btn", type: "button" }, labels.to_skipped);
    back.onclick = () => { this.at = skipped.key; this.out.send("at", skipped.key, true); this.paint(); };
    this.nothing.replaceChildren(
      h("h2", null, skipped ? labels.skipped : done.title), h("p", { class: "muted" }, skipped ? labels.skipped_hint : done.text),
      skipped ? back : h("a", { class: "btn", href: done.href, onclick: follow }, done.action));
  }

  paintLeft() {
    const { queries, labels, guidelines, intro } = this.data;
    const current = this.item ? this.item.query_id : null;
    const changed = (query) => this.items.filter((item) => item.query_id === query.id && item.grade !== null).length;
    const isHere = (query) => this.items.some((item) => item.query_id === query.id);
    const focused = focusedIn(this.left);
    const scrolled = this.left.querySelector(".queries")?.scrollTop || 0;
    this.left.replaceChildren(
      h("div", { class: "caps" }, intro.heading), h("p", null, intro.name), h("p", { class: "muted" }, intro.text),
      h("div", { class: "queries" }, queries.map((query) => {
        const done = isHere(query) ? changed(query) : query.done;
        const button = h("button", { class: "query", type: "button", "aria-current": String(query.id === current), data: { act: query.id } },
          h("span", null, query.text), h("span", { class: done >= query.total ? "count full" : "count" }, `${done}/${query.total}`));
        button.onclick = () => this.open(query.id);
        return button;
      })),
      h("div", { class: "caps" }, labels.guidelines), h("p", { class: "guidelines" }, guidelines || labels.no_guidelines));
    focusAgain(this.left, focused);
    const box = this.left.querySelector(".queries");
    const now = box.querySelector("[aria-current=true]");
    box.scrollTop = scrolled;
    // only the list scrolls: on a phone it is below what is judged
    if (now && current !== this.currentQuery) box.scrollTop = clamp(scrolled, now.offsetTop + now.offsetHeight - box.clientHeight, now.offsetTop);
    this.currentQuery = current;
  }

  paintRight() {
    const { progress, labels, agreement } = this.data;
    const waiting = this.out.waiting("judge").filter((sent) => !this.data.items.some((item) => item.key === sent.key && item.grade !== null)).length;
    const done = Math.min(progress.total, progress.done + waiting);
    const mean = this.paces.length >= 5 ? this.paces.reduce((sum, one) => sum + one, 0) / this.paces.length : 0;
    const minutes = Math.ceil((mean * (progress.total - done)) / 60);
    const left = mean && done < progress.total ? ` · ${fillText(labels.left, { n: minutes })}` : "";
    const share = progress.total ? (100 * done) / progress.total : 0;
    this.facts.replaceChildren(
      h("div", { class: "caps" }, labels.progress),
      h("div", { class: "rail", role: "progressbar", "aria-label": labels.progress, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(share) },
        h("span", { class: "fill", style: { width: `${share}%` } })),
      h("p", { class: "muted" }, fillText(labels.of, { done, total: progress.total }), left),
      agreement ? h("div", { class: "caps" }, agreement.heading) : "",
      agreement ? h("p", { class: "kappa" }, agreement.value) : "",
      agreement ? h("p", { class: "muted" }, agreement.text) : "");
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey, true);
    this.screen.stop();
  }
}

export default function (component) {
  return mount(component, Judge);
}
