// Cards of scenes. Keys: j and k select the next and the previous card, Enter plays it, a adds it to the tray.

class Grid {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.cards = new Map();
    this.list = h("div", { class: "grid", role: "list" });
    this.pager = h("nav", { class: "pager", hidden: true });
    host.append(this.list, this.pager);
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
  }

  update(data) {
    this.data = data;
    if (!this.out.pending) this.selected = data.selected;
    const wanted = new Set(data.cards.map((card) => card.id));
    for (const [id, card] of this.cards) {
      if (!wanted.has(id)) { card.el.remove(); this.cards.delete(id); }
    }
    // Cards are reused and moved, so that a new order shows at once and no thumbnail is loaded again.
    data.cards.forEach((values, at) => {
      let card = this.cards.get(values.id);
      if (!card) { card = this.make(values.id); this.cards.set(values.id, card); }
      this.fill(card, values);
      if (this.list.children[at] !== card.el) this.list.insertBefore(card.el, this.list.children[at] || null);
    });
    this.paintSelection();
    this.paintPager();
  }

  paintPager() {
    const { pager } = this.data;
    this.pager.hidden = !pager;
    if (!pager) return;
    const button = (to) => {
      const b = h("button", { class: "btn", type: "button", disabled: to.disabled }, to.label);
      b.onclick = () => this.out.send("page", to.page, true);
      return b;
    };
    this.pager.replaceChildren(button(pager.previous), h("span", { class: "muted" }, pager.text), button(pager.next));
  }

  make(id) {
    const card = { id };
    card.image = h("img", { alt: "", loading: "lazy", decoding: "async", draggable: "false" });
    card.image.onerror = () => this.brokenImage(card);
    card.time = h("span", { class: "badge time" });
    card.score = h("span", { class: "badge score" });
    card.pick = h("button", { class: "pick", type: "button" });
    card.pick.onclick = (event) => { event.stopPropagation(); this.pick(id); };
    card.title = h("div", { class: "title" });
    card.text = h("div", { class: "text" });
    card.bar = h("div", { class: "bar" });
    card.open = h("button", { class: "open", type: "button" });
    card.open.onclick = () => this.select(id, true);
    card.el = h("article", { class: "card", role: "listitem", data: { scene: id } },
      h("div", { class: "thumbnail" }, card.image, card.time, card.score),
      h("div", { class: "body" }, card.title, card.text, card.bar),
      card.open, card.pick);
    return card;
  }

  fill(card, values) {
    const key = JSON.stringify({ ...values, thumbnail: null });
    card.values = values;
    if (values.thumbnail !== card.src) {
      card.src = values.thumbnail;
      if (values.thumbnail) card.image.src = values.thumbnail; else card.image.removeAttribute("src");
    }
    if (key === card.key) return;
    card.key = key;
    card.time.textContent = values.time;
    card.score.textContent = values.score || "";
    card.score.hidden = !values.score;
    card.title.replaceChildren(...marked(values.title));
    card.text.replaceChildren(...marked(values.text));
    card.text.classList.toggle("silent", Boolean(values.silent));
    card.open.setAttribute("aria-label", values.label);
    card.bar.replaceChildren(...values.parts.map((part) =>
      h("span", { class: part.name, style: { flexGrow: String(part.share) }, title: part.title })));
    card.bar.hidden = !values.parts.length;
    this.paintPick(card, values.picked);
  }

  paintPick(card, picked) {
    card.picked = picked;
    card.el.classList.toggle("picked", picked);
    card.pick.replaceChildren(icon(picked ? "check" : "plus"));
    card.pick.setAttribute("aria-pressed", String(picked));
    const label = picked ? this.data.labels.unpick : this.data.labels.pick;
    card.pick.setAttribute("aria-label", label);
    card.pick.title = label;
  }

  brokenImage(card) {
    // Its link has probably expired: ask for new links, once for each URL.
    if (card.failed === card.src) return;
    card.failed = card.src;
    this.out.send("renew", null, true);
  }

  select(id, play) {
    this.selected = id;
    this.paintSelection();
    this.out.send("select", { id, play }, true);
  }

  pick(id) {
    const card = this.cards.get(id);
    if (!card) return;
    this.paintPick(card, !card.picked);
    this.out.send("pick", { id, picked: card.picked });
  }

  paintSelection() {
    for (const card of this.cards.values()) {
      const on = card.id === this.selected;
      card.el.classList.toggle("selected", on);
      card.el.setAttribute("aria-current", String(on));
    }
  }

  move(step) {
    const ids = this.data.cards.map((card) => card.id);
    const at = ids.indexOf(this.selected);
    const next = at < 0 ? 0 : clamp(at + step, 0, ids.length - 1);
    if (!ids.length || (at >= 0 && next === at)) return;
    this.select(ids[next], false);
    this.cards.get(ids[next]).el.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  key(event) {
    if (isTyping(event) || event.defaultPrevented) return;
    const act = {
      j: () => this.move(1),
      k: () => this.move(-1),
      a: () => this.selected && this.pick(this.selected),
      Enter: () => !isOnControl(event) && this.selected && this.select(this.selected, true),
    }[event.key];
    if (!act) return;
    if (event.key === "Enter" && isOnControl(event)) return;
    event.preventDefault();
    act();
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
  }
}

export default function (component) {
  return mount(component, Grid);
}
