// The lines of the transcript: the list begins at what was found, and follows the video.

class Transcript {
  // `play` is called with the time of a line that is clicked.
  constructor(play) {
    this.play = play;
    this.rows = [];
    this.section = h("section", { class: "lines" });
  }

  paint(lines, labels) {
    const key = JSON.stringify([lines, labels.transcript, labels.rough]);
    if (key === this.key) return;
    this.key = key;
    this.current = null;
    this.moved = false;
    this.section.hidden = !lines;
    this.rows = (lines || []).map((line) => {
      const row = h("button", { class: line.inside ? "line inside" : "line", type: "button" },
        h("span", { class: "at mono" }, clock(line.start)), h("span", { class: "words" }, marked(line.text)));
      row.onclick = () => this.play(line.start);
      return { line, row };
    });
    this.box = h("div", { class: "box" }, this.rows.map(({ row }) => row));
    this.section.replaceChildren(
      h("div", { class: "spread" }, h("div", { class: "caps" }, labels.transcript),
        labels.rough ? h("span", { class: "rough" }, labels.rough) : ""),
      this.rows.length ? this.box : h("div", { class: "muted none" }, labels.no_speech));
    const inside = this.rows.filter(({ line }) => line.inside);
    const first = inside.find(({ line }) => line.text.some(([, hit]) => hit)) || inside[0];
    if (first) this.reveal(first.row, true);
  }

  follow(now) {
    // where the player stands when a scene is opened must not take the place of what was found
    const moves = this.moved;
    this.moved = true;
    const found = this.rows.find(({ line }) => now >= line.start - 0.02 && now < line.end);
    if (found === this.current) return;
    if (this.current) this.current.row.classList.remove("current");
    this.current = found;
    if (!found) return;
    found.row.classList.add("current");
    if (moves) this.reveal(found.row, false);
  }

  // Positions in the box are relative to it. The line above stays in view.
  reveal(row, always) {
    const { box } = this;
    const top = row.offsetTop;
    if (always || top < box.scrollTop || top + row.offsetHeight > box.scrollTop + box.clientHeight) {
      box.scrollTop = Math.max(0, top - 24);
    }
  }
}
