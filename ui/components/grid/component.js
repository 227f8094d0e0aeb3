// Cards of scenes, as a grid or a list. Keys: n and p select the next and the previous card, Enter plays it, a adds it to
// the tray. Shift and Ctrl mark several; a then adds them all. On the cards of a search 0 to 3 judge (tools.js). scrub.js
// shows a scene while the pointer moves over it.

const VIEW_KEY = "heimdex-results";

class Grid {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.cards = new Map();
    this.chosen = new Set();
    this.head = new GridHead({
      view: (view) => this.setView(view),
      add: () => this.pickAll([...this.chosen]),
      clear: () => this.choose([]),
    });
    this.list = h("div", { class: "grid", role: "list" });
    this.pager = h("nav", { class: "pager", hidden: true });
    host.append(this.head.row, this.list, this.pager);
    this.setView(stored(VIEW_KEY) === "list" ? "list" : "grid");
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
  }

  update(data) {
    this.data = data;
    if (!this.out.waiting("select").length) this.selected = data.selected;
    const wanted = new Set(data.cards.map((card) => card.id));
    for (const [id, card] of this.cards) {
      if (!wanted.has(id)) { card.scrub.stop(); card.el.remove(); this.cards.delete(id); }
    }
    const picks = new Map(this.out.waiting("pick").map((pick) => [pick.id, pick.picked]));
    const grades = new Map(this.out.waiting("judge").map((one) => [one.id, one.grade]));
    const rates = new Map(this.out.waiting("rate").map((one) => [one.id, one.name]));
    const own = (map, id, value) => (map.has(id) ? map.get(id) : value);
    // Cards are reused and moved, so that a new order shows at once and no thumbnail is loaded again.
    data.cards.forEach((values, at) => {
      let card = this.cards.get(values.id);
      if (!card) { card = this.make(values.id); this.cards.set(values.id, card); }
      const { id } = values;
      this.fill(card, { ...values, picked: own(picks, id, values.picked), grade: own(grades, id, values.grade), rated: own(rates, id, values.rated) });
      if (this.list.children[at] !== card.el) this.list.insertBefore(card.el, this.list.children[at] || null);
    });
    this.choose([...this.chosen].filter((id) => wanted.has(id)));
    this.paintSelection();
    this.paintPager();
  }

  setView(view) {
    this.view = view;
    this.list.classList.toggle("rows", view === "list");
    store(VIEW_KEY, view);
    this.head.paint(this.data, this.view, this.chosen.size);
  }

  paintPager() {
    const { pager } = this.data;
    this.pager.hidden = !pager;
    if (!pager) return;
    const button = (to, by) => {
      const b = h("button", { class: "btn", type: "button", disabled: to.disabled }, to.label);
      b.onclick = () => this.out.send("page", { by });
      return b;
    };
    this.pager.replaceChildren(button(pager.previous, -1), h("span", { class: "muted" }, pager.text), button(pager.next, 1));
  }

  make(id) {
    const card = { id };
    card.image = h("img", { alt: "", loading: "lazy", decoding: "async", draggable: "false" });
    card.image.onerror = () => this.brokenImage(card, card.src);
    card.time = h("span", { class: "badge time" });
    card.rank = h("span", { class: "badge rank" });
    card.pick = h("button", { class: "pick", type: "button" });
    card.pick.onclick = (event) => { event.stopPropagation(); this.pick(id); };
    card.title = h("div", { class: "title" });
    card.text = h("div", { class: "text" });
    card.also = h("div", { class: "also" });
    card.bar = h("div", { class: "bar" });
    card.strength = h("span", { class: "strength" });
    card.alike = h("button", { class: "badge alike", type: "button", hidden: true });
    card.alike.onclick = (event) => { event.stopPropagation(); this.out.send("unfold", { id, on: !card.values.alike.on }, (earlier) => earlier.id === id); };
    card.tools = new CardTools(id, {
      judge: (of, grade) => this.judge(of, grade),
      rate: (of, name) => { this.out.send("rate", { id: of, name }, (earlier) => earlier.id === of); this.update(this.data); },
      like: (of) => this.out.send("like", { id: of }, true),
    });
    card.open = this.openButton(id);
    const thumbnail = h("div", { class: "thumbnail" }, card.image, card.time, card.rank);
    card.el = h("article", { class: "card", role: "listitem", data: { scene: id } },
      thumbnail, h("div", { class: "body" }, h("div", { class: "head-line" }, card.title, card.strength), card.text, card.also, card.bar, card.tools.el),
      card.open, card.alike, card.pick);
    card.scrub = new Scrub(card.el, thumbnail, card.time, () => this.brokenImage(card, card.values.sprite.url));
    return card;
  }

  openButton(id) {
    const button = h("button", { class: "open", type: "button" });
    button.onmousedown = (event) => { if (event.shiftKey) event.preventDefault(); };  // selects no text
    button.onclick = (event) => {
      if (event.shiftKey) { this.chooseTo(id); return; }
      if (event.ctrlKey || event.metaKey) { this.toggleChosen(id); return; }
      this.choose([]);
      this.select(id, true);
    };
    // Space on the card that is in the player pauses it, like anywhere else on the page.
    button.onkeydown = (event) => {
      if (event.key !== " ") return;
      event.preventDefault();
      if (event.repeat) return;
      if (id === this.selected) document.dispatchEvent(new CustomEvent("hx-toggle")); else this.select(id, true);
    };
    button.onkeyup = (event) => { if (event.key === " ") event.preventDefault(); };
    return button;
  }

  fill(card, values) {
    const key = JSON.stringify({ ...values, thumbnail: null, sprite: null });
    card.values = values;
    card.scrub.set(values);
    if (values.thumbnail !== card.src) {
      card.src = values.thumbnail;
      if (values.thumbnail) card.image.src = values.thumbnail; else card.image.removeAttribute("src");
    }
    if (key === card.key) return;
    card.key = key;
    card.scrub.label(values.time);
    card.rank.textContent = values.rank || "";
    card.rank.title = values.score || "";
    card.rank.hidden = !values.rank;
    card.title.replaceChildren(...marked(values.title));
    card.text.replaceChildren(...marked(values.text));
    card.text.classList.toggle("silent", Boolean(values.silent));
    card.also.replaceChildren(...values.also.map((one) =>
      h("div", null, h("span", { class: "muted" }, one.label), " ", ...marked(one.text))));
    card.open.setAttribute("aria-label", values.label);
    card.bar.replaceChildren(...values.parts.map((part) =>
      h("span", { class: part.name, style: { flexGrow: String(part.share) }, title: part.title })));
    card.bar.hidden = !values.parts.length;
    card.el.classList.toggle("dim", Boolean(values.dim));
    card.el.classList.toggle("folded", Boolean(values.folded));
    const { strength, alike } = values;
    card.strength.className = `strength ${strength ? strength.name : ""}`;
    card.strength.textContent = strength ? strength.label : "";
    card.strength.title = values.score || "";
    card.alike.hidden = !alike;
    if (alike) {
      card.alike.textContent = alike.label;
      card.alike.title = alike.title;
      card.alike.setAttribute("aria-label", `${alike.title} (${values.name})`);
      card.alike.setAttribute("aria-expanded", String(alike.on));
    }
    card.tools.paint(values, this.data.labels);
    this.paintPick(card, values.picked);
  }

  paintPick(card, picked) {
    card.picked = picked;
    card.el.classList.toggle("picked", picked);
    card.pick.replaceChildren(icon(picked ? "check" : "plus"));
    card.pick.setAttribute("aria-pressed", String(picked));
    const label = picked ? card.values.unpick_label : card.values.pick_label;
    card.pick.setAttribute("aria-label", label);
    card.pick.title = label;
  }

  brokenImage(card, url) {
    // Its link has probably expired: ask for new links, once for each URL.
    card.failed = card.failed || new Set();
    if (card.failed.has(url)) return;
    card.failed.add(url);
    this.out.send("renew", null, true);
  }

  // --- the selected card and the chosen ones ----------------------------------------------------

  select(id, play) {
    this.selected = id;
    this.paintSelection();
    this.out.send("select", { id, play }, true);
    if (play) this.cards.get(id).el.scrollIntoView({ block: "nearest", behavior: reducedMotion() ? "auto" : "smooth" });
  }

  pick(id) {
    const card = this.cards.get(id);
    if (card) this.setPicked(card, !card.picked);
  }

  setPicked(card, picked) {
    this.paintPick(card, picked);
    this.out.send("pick", { id: card.id, picked }, (earlier) => earlier.id === card.id);
  }

  // `text` is what the cards were found for: a late judgement must not go to what is typed meanwhile.
  judge(id, grade) {
    const card = this.cards.get(id);
    if (!card || !card.values.tools || this.data.query === undefined || !this.data.query) return;
    this.out.send("judge", { id, grade, text: this.data.query }, (earlier) => earlier.id === id);
    this.update(this.data);
  }

  // The same key again takes the judgement back.
  judgeSelected(grade) {
    const card = this.cards.get(this.selected);
    if (card) this.judge(card.id, card.values.grade === grade ? null : grade);
  }

  // Add all of them to the tray; if they all are in it already, take them out.
  pickAll(ids) {
    const cards = ids.map((id) => this.cards.get(id)).filter(Boolean);
    const picked = !cards.every((card) => card.picked);
    cards.filter((card) => card.picked !== picked).forEach((card) => this.setPicked(card, picked));
  }

  get ids() {
    return this.data.cards.map((card) => card.id);
  }

  choose(ids) {
    this.chosen = new Set(ids);
    if (!ids.length) this.anchor = null;
    this.paintSelection();
    this.head.paint(this.data, this.view, this.chosen.size);
  }

  toggleChosen(id) {
    const others = [...this.chosen].filter((other) => other !== id);
    this.choose(this.chosen.has(id) ? others : [...others, id]);
    this.anchor = id;
  }

  // From the card that was chosen or selected last to this one.
  chooseTo(id) {
    const { ids } = this;
    const from = Math.max(0, ids.indexOf(this.anchor || this.selected));
    const to = ids.indexOf(id);
    const anchor = ids[from];
    this.choose(ids.slice(Math.min(from, to), Math.max(from, to) + 1));
    this.anchor = anchor;
    this.end = id;
  }

  paintSelection() {
    for (const card of this.cards.values()) {
      const on = card.id === this.selected;
      card.el.classList.toggle("selected", on);
      card.el.classList.toggle("chosen", this.chosen.has(card.id));
      card.el.setAttribute("aria-current", String(on));
    }
  }

  // --- keys -------------------------------------------------------------------------------------

  move(step, extend) {
    const { ids } = this;
    if (!ids.length) return;
    const from = extend && this.chosen.size ? this.end : this.selected;
    const at = ids.indexOf(from);
    const next = at < 0 ? 0 : clamp(at + step, 0, ids.length - 1);
    if (at >= 0 && next === at) return;
    if (extend) this.chooseTo(ids[next]); else { this.choose([]); this.select(ids[next], false); }
    this.cards.get(ids[next]).el.scrollIntoView({ block: "nearest", behavior: reducedMotion() ? "auto" : "smooth" });
  }

  key(event) {
    if (isTyping(event) || event.defaultPrevented) return;
    const key = keyOf(event);
    if (key === "Enter" && isOnControl(event)) return;
    const act = {
      n: () => this.move(1, event.shiftKey),
      p: () => this.move(-1, event.shiftKey),
      a: () => this.pickAll(this.chosen.size ? [...this.chosen] : [this.selected]),
      Enter: () => this.selected && this.cards.has(this.selected) && this.select(this.selected, true),
      Escape: () => this.choose([]),
      ...Object.fromEntries([0, 1, 2, 3].map((grade) => [String(grade), this.data.query ? () => this.judgeSelected(grade) : null])),
    }[key];
    if (!act || (key === "Escape" && !this.chosen.size)) return;
    event.preventDefault();
    act();
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
    for (const card of this.cards.values()) card.scrub.stop();
  }
}

// What the browser keeps between visits; nothing where it may not.
function stored(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

function store(key, value) {
  try { localStorage.setItem(key, value); } catch { /* it is only a convenience */ }
}

export default function (component) {
  return mount(component, Grid);
}
