// The short as it will look: the picture in its 9:16 frame, the caption, and what platforms draw over it.

const FRAME = [270, 480];
const EM_OF_WIDTH = 0.063; // as heimdex_core/export/captions/layout.py

class Preview {
  constructor(editor) {
    this.editor = editor;
    this.canvas = h("canvas", { width: FRAME[0], height: FRAME[1], "aria-hidden": "true" });
    this.caption = h("div", { class: "caption" });
    this.zones = h("div", { class: "zones", "aria-hidden": "true" }, h("span", { class: "zone lowest" }), h("span", { class: "zone beside" }));
    this.frame = h("div", { class: "frame" }, this.canvas, this.zones, this.caption);
    this.note = h("p", { class: "muted" });
    this.el = h("section", { class: "preview" }, h("h2", { class: "caps" }), this.frame, this.note);
  }

  paint() {
    const { labels } = this.editor.data;
    this.el.firstChild.textContent = labels.preview;
    this.note.textContent = labels.zones;
  }

  follow(now) {
    this.draw();
    this.write(now);
  }

  draw() {
    const { video, draft } = this.editor;
    const [width, height] = FRAME;
    const ink = this.canvas.getContext("2d");
    ink.fillStyle = "#000";
    ink.fillRect(0, 0, width, height);
    if (video.readyState < 2) return;
    const [w, hh] = [video.videoWidth, video.videoHeight];
    const fit = () => { const s = Math.min(width / w, height / hh); ink.drawImage(video, (width - w * s) / 2, (height - hh * s) / 2, w * s, hh * s); };
    const fill = () => {
      const s = Math.max(width / w, height / hh);
      const [cw, ch] = [width / s, height / s];
      const at = this.editor.stage.centre(this.editor.now);
      const [x, y] = this.editor.stage.across ? [at * w - cw / 2, (hh - ch) / 2] : [(w - cw) / 2, at * hh - ch / 2];
      ink.drawImage(video, x, y, cw, ch, 0, 0, width, height);
    };
    if (draft.strategy === "letterbox") fit();
    else if (draft.strategy === "blur_pad") {
      ink.filter = "blur(12px)";
      fill();
      ink.filter = "none";
      fit();
    } else fill();
  }

  write(now) {
    const { data, draft } = this.editor;
    const cue = draft.captions ? data.cues.find((one) => now >= one.start && now < one.end) : null;
    const text = cue ? cue.shown ?? cue.text : "";
    this.caption.hidden = !text;
    this.caption.className = `caption ${draft.captions || ""} ${draft.position}`;
    this.caption.style.fontSize = `${EM_OF_WIDTH * this.frame.clientWidth}px`;
    const at = cue && draft.captions === "karaoke" && text === cue.text ? cue.words.findIndex(([start, end]) => now >= start && now < end) : -1;
    const key = `${text} ${at}`;
    if (key === this.captionKey) return;
    this.captionKey = key;
    this.caption.replaceChildren(h("span", null, at < 0 ? text : cue.words.flatMap(([, , word], n) => [n ? " " : "", n === at ? h("b", null, word) : word])));
  }
}
