// The captions of the short, to be corrected before it is rendered.

class Cues {
  constructor(editor) {
    this.editor = editor;
    this.list = h("ol", null);
    this.el = h("section", { class: "cues" }, h("h2", { class: "caps" }), this.list);
  }

  paint() {
    const { data, draft } = this.editor;
    this.el.hidden = !draft.captions;
    this.el.firstChild.textContent = data.labels.cues;
    const key = JSON.stringify([data.cues, data.labels.cue]);
    if (key === this.key) return;
    this.key = key;
    const focused = focusedIn(this.list);
    this.list.replaceChildren(...(data.cues.length ? data.cues.map((cue) => this.cue(cue)) : [h("li", { class: "muted" }, data.labels.no_cues)]));
    focusAgain(this.list, focused);
  }

  cue(cue) {
    const { editor } = this;
    const input = h("input", { type: "text", value: cue.text, "aria-label": fillText(editor.data.labels.cue, { time: precise(cue.start) }), data: { act: `cue ${cue.start}` } });
    input.onfocus = () => { if (editor.video.paused) editor.seek(cue.start + 0.01); };
    input.oninput = () => { cue.shown = input.value; editor.preview.follow(editor.now); };
    input.onchange = () => editor.out.send("cue", { start: cue.start, text: input.value }, (earlier) => earlier.start === cue.start);
    input.onkeydown = (event) => {
      if (event.key === "Enter" && !event.isComposing) {
        const next = input.closest("li").nextElementSibling?.querySelector("input");
        if (next) next.focus(); else input.blur();
      }
    };
    return h("li", null, h("span", { class: "mono muted" }, precise(cue.start)), input);
  }
}
