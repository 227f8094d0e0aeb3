// The collections of the user, and a dialog in which videos or a collection are shared with other users.

class Sharing extends Redrawn {
  constructor(host, out) {
    super(host, out);
    this.collections = h("details", { class: "collections" });
    this.dialog = h("dialog", { "aria-labelledby": "hx-sharing-title" });
    host.append(this.collections, this.dialog);
    this.dialog.onclick = (event) => { if (event.target === this.dialog) this.close(); };  // beside it
    this.dialog.oncancel = (event) => { event.preventDefault(); this.close(); };
  }

  close() {
    this.dialog.close();
    this.out.send("close", null, true);
  }

  draw(data) {
    this.data = data;
    this.collections.hidden = !data.collections;
    if (data.collections) this.drawCollections(data);
    if (!data.opened) { if (this.dialog.open) this.dialog.close(); this.title = null; return; }
    const focused = focusedIn(this.dialog);
    this.drawDialog(data.opened, data.labels);
    if (!this.dialog.open) this.dialog.showModal();
    if (this.title === data.opened.key) focusAgain(this.dialog, focused);
    this.title = data.opened.key;
  }

  drawCollections({ collections, labels: l }) {
    const name = h("input", { type: "text", class: "field", placeholder: l.new_collection, "aria-label": l.new_collection, required: true, maxlength: this.data.max_title, data: { act: "title" } });
    const form = h("form", { class: "row" }, name, h("button", { class: "btn", type: "submit" }, l.make));
    form.onsubmit = (event) => { event.preventDefault(); this.out.send("make", { title: name.value.trim() }); };
    this.collections.replaceChildren(h("summary", null, l.collections), h("ul", null, collections.map((one) => {
      const open = h("button", { class: "btn", type: "button", "aria-label": `${l.open}: ${one.title}` }, l.open);
      open.onclick = () => this.out.send("open", one.id, true);
      return h("li", { data: { collection: one.id } }, h("b", null, one.title), h("span", { class: "muted" }, one.text), open);
    })), form);
  }

  drawDialog(opened, l) {
    const close = h("button", { class: "close", type: "button", "aria-label": l.close, title: l.close }, icon("close"));
    close.onclick = () => this.close();
    this.dialog.replaceChildren(
      h("div", { class: "spread" }, h("h2", { id: "hx-sharing-title" }, opened.title), close),
      opened.error ? h("div", { class: "problem", role: "alert" }, h("strong", null, opened.error[0]), h("span", { class: "muted" }, opened.error[1])) : "",
      opened.done ? h("div", { class: "done", role: "status" }, opened.done) : "",
      opened.owned ? this.shareForm(opened, l) : this.ways(opened, l),
      opened.owned ? this.shares(opened.shares, l) : "",
      opened.collection ? this.inside(opened.collection, opened.owned, l) : this.put(opened.collections, l));
  }

  shareForm(opened, l) {
    const tried = opened.error && this.tried ? this.tried : { user: "", access: "read" };
    const who = h("input", { type: "email", value: tried.user, class: "field", required: true, autocomplete: "off", placeholder: l.address, data: { act: "who" } });
    const access = h("select", { class: "field", "aria-label": l.access, data: { act: "access" } }, ["read", "write"].map((name) => h("option", { value: name, selected: name === tried.access }, l[name])));
    const form = h("form", null, h("label", null, h("span", { class: "muted" }, l.with), who), access, h("button", { class: "btn primary", type: "submit" }, l.share));
    form.onsubmit = (event) => { event.preventDefault(); this.tried = { user: who.value.trim(), access: access.value }; this.out.send("share", this.tried); };
    return form;
  }

  shares(shares, l) {
    if (!shares) return "";
    if (!shares.length) return h("p", { class: "muted" }, l.nobody);
    return h("ul", { class: "shares" }, shares.map((one) => {
      const remove = h("button", { class: "btn", type: "button", "aria-label": `${l.unshare}: ${one.name}` }, l.unshare);
      remove.onclick = () => { remove.disabled = true; this.out.send("unshare", one.user_id); };
      return h("li", null, h("b", null, one.name), h("span", { class: "muted" }, l[one.access]), remove);
    }));
  }

  // Of what others share: who does, and the shares, which can be given back.
  ways(opened, l) {
    return h("div", null, h("p", { class: "muted" }, opened.from), h("ul", { class: "ways" }, opened.ways.map((one) => {
      const leave = h("button", { class: "btn danger", type: "button", "aria-label": `${l.leave}: ${one.text}` }, l.leave);
      leave.onclick = () => {
        if (leave.dataset.sure) { leave.disabled = true; this.out.send("give_back", { kind: one.kind, id: one.id }); return; }
        leave.dataset.sure = "1";
        leave.textContent = l.leave_sure;
        leave.setAttribute("aria-label", `${l.leave_sure}: ${one.text}`);
      };
      return h("li", null, h("b", null, one.text), h("span", { class: "muted" }, l[one.access]), leave);
    })), h("p", { class: "muted" }, l.leave_note));
  }

  // Of videos: the collections that they can be put into.
  put(collections, l) {
    if (!collections) return "";
    const choice = h("select", { class: "field", "aria-label": l.collection, data: { act: "collection" } },
      collections.map(([id, title]) => h("option", { value: id }, title)), h("option", { value: "" }, l.new_collection));
    const name = h("input", { type: "text", class: "field", placeholder: l.collection_title, "aria-label": l.collection_title, maxlength: this.data.max_title, data: { act: "new-title" } });
    const paint = () => { name.hidden = choice.value !== ""; name.required = !name.hidden; };
    choice.onchange = paint;
    paint();
    const form = h("form", { class: "put" }, h("label", null, h("span", { class: "muted" }, l.put_into), choice), name, h("button", { class: "btn", type: "submit" }, l.put));
    form.onsubmit = (event) => { event.preventDefault(); this.out.send("put", { id: choice.value, title: name.value.trim() }); };
    return form;
  }

  // Of a collection: its title, its videos, and its end.
  inside(collection, owned, l) {
    const videos = h("ul", { class: "inside" }, collection.videos.map(([id, title]) => {
      const out = h("button", { class: "btn", type: "button", "aria-label": `${l.take_out}: ${title}` }, l.take_out);
      out.onclick = () => { out.disabled = true; this.out.send("take_out", id); };
      return h("li", null, h("span", null, title), owned ? out : "");
    }));
    const parts = [h("h3", { class: "caps" }, l.videos), collection.videos.length ? videos : h("p", { class: "muted" }, l.empty)];
    if (!owned) return h("div", null, parts);
    const title = h("input", { type: "text", class: "field", value: collection.title, required: true, maxlength: this.data.max_title, "aria-label": l.collection_title, data: { act: "rename" } });
    const rename = h("form", { class: "row" }, title, h("button", { class: "btn", type: "submit" }, l.rename));
    rename.onsubmit = (event) => { event.preventDefault(); this.out.send("rename", title.value.trim()); };
    const remove = h("button", { class: "btn danger", type: "button" }, l.remove);
    remove.onclick = () => {
      if (remove.dataset.sure) { remove.disabled = true; this.out.send("remove", null, true); return; }
      remove.dataset.sure = "1";
      remove.textContent = l.remove_sure;
    };
    return h("div", null, parts, h("div", { class: "end" }, rename, remove));
  }
}

export default function (component) {
  return mount(component, Sharing);
}
