// The row at the bottom of a card of a search: how relevant the scene is (0 to 3), more and less of its kind, and scenes
// like it. It shows on the card under the pointer, on the selected one, and where a grade was given.

Object.assign(ICONS, {
  more: ["M7 11v9H4v-9zM7 11l4-7.5c1.6 0 2.3 1 2 2.6L12.5 10H19c1.2 0 2 1 1.7 2.2l-1.5 6.3c-.2.9-1 1.5-1.9 1.5H7"],
  less: ["M17 13V4h3v9zM17 13l-4 7.5c-1.6 0-2.3-1-2-2.6l.5-3.9H5c-1.2 0-2-1-1.7-2.2l1.5-6.3C5 4.6 5.8 4 6.7 4H17"],
  alike: ["M4.5 8.5h11v11h-11zM8.5 8.5v-4h11v11h-4"],
});

class CardTools {
  // `act` has the functions judge(id, grade), rate(id, name) and like(id).
  constructor(id, act) {
    this.id = id;
    this.act = act;
    this.el = h("div", { class: "card-tools", hidden: true });
  }

  paint(values, labels) {
    const key = JSON.stringify([values.tools, values.grade, values.rated, values.name, labels]);
    if (key === this.key) return;
    this.key = key;
    this.name = values.name;
    this.el.hidden = !values.tools;
    if (!values.tools) return;
    const focused = focusedIn(this.el);
    const grade = values.grade ?? null;
    this.el.classList.toggle("graded", grade !== null || Boolean(values.rated));
    this.el.replaceChildren(
      h("span", { class: "grades", role: "group", "aria-label": labels.judge }, ...(values.tools.grades ? [0, 1, 2, 3] : []).map((n) => this.button({
        text: n, label: `${n}: ${labels[`grade_${n}`]}`, on: grade === n, act: `grade ${n}`, click: () => this.act.judge(this.id, grade === n ? null : n),
      }))),
      this.button({ icon: "more", label: labels.like, on: values.rated === "liked", act: "liked", click: () => this.act.rate(this.id, values.rated === "liked" ? null : "liked") }),
      this.button({ icon: "less", label: labels.dislike, on: values.rated === "disliked", act: "disliked", click: () => this.act.rate(this.id, values.rated === "disliked" ? null : "disliked") }),
      this.button({ icon: "alike", label: labels.more_like, act: "like", click: () => this.act.like(this.id) }));
    focusAgain(this.el, focused);
  }

  button({ text, icon: shape, label, on, act, click }) {
    const button = h("button", { class: "small", type: "button", "aria-label": `${label} (${this.name})`, title: label, "aria-pressed": on === undefined ? null : String(on), data: { act } },
      shape ? icon(shape) : String(text));
    button.onclick = (event) => { event.stopPropagation(); click(); };
    return button;
  }
}
