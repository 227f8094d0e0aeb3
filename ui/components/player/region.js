// Drawing a box on the paused picture, to search by what is in it. The part is cut out here, so that the server needs no
// frame of the video.

const LEAST_SIDE = 0.02; // of the picture; smaller boxes are clicks
const REGION_SIDE = 512; // px; models look at less

class Region {
  // `done` is called with the part as JPEG in base64.
  constructor(stage, video, done) {
    this.video = video;
    this.done = done;
    this.box = h("div", { class: "box", hidden: true });
    this.hint = h("div", { class: "region-hint" });
    this.layer = h("div", { class: "region", hidden: true }, this.box, this.hint);
    this.layer.onpointerdown = (event) => this.drag(event);
    this.button = h("button", { class: "tool", type: "button", hidden: true }, icon("region"));
    this.button.onclick = () => this.toggle();
    stage.append(this.layer);
    this.onKey = (event) => {
      if (event.key !== "Escape" || this.layer.hidden) return;
      event.preventDefault();
      this.toggle(false);
    };
    document.addEventListener("keydown", this.onKey);
  }

  label(labels) {
    this.button.hidden = !labels.region;
    if (!labels.region) return;
    this.button.title = labels.region;
    this.button.setAttribute("aria-label", labels.region);
    this.labels = labels;
  }

  toggle(on = this.layer.hidden) {
    this.layer.hidden = !on || this.video.readyState < 2;
    this.box.hidden = true;
    this.hint.textContent = this.labels ? this.labels.region_hint : "";
    this.button.setAttribute("aria-pressed", String(!this.layer.hidden));
    if (!this.layer.hidden) this.video.pause();
  }

  // Where the picture is in its element: [left, top, width, height] in CSS pixels.
  picture() {
    const { clientWidth: w, clientHeight: t, videoWidth, videoHeight } = this.video;
    const scale = Math.min(w / videoWidth, t / videoHeight);
    return [(w - videoWidth * scale) / 2, (t - videoHeight * scale) / 2, videoWidth * scale, videoHeight * scale];
  }

  drag(event) {
    event.preventDefault();
    const edge = this.layer.getBoundingClientRect();
    const [left, top, width, height] = this.picture();
    const at = (e) => [clamp((e.clientX - edge.left - left) / width, 0, 1), clamp((e.clientY - edge.top - top) / height, 0, 1)];
    const from = at(event);
    const move = (e) => {
      const to = at(e);
      this.part = [0, 1].map((axis) => [Math.min(from[axis], to[axis]), Math.max(from[axis], to[axis])]);
      const [[x1, x2], [y1, y2]] = this.part;
      this.box.hidden = false;
      Object.assign(this.box.style, { left: `${left + x1 * width}px`, top: `${top + y1 * height}px`, width: `${(x2 - x1) * width}px`, height: `${(y2 - y1) * height}px` });
    };
    const stop = (e) => {
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", stop);
      move(e);
      const [[x1, x2], [y1, y2]] = this.part;
      if (x2 - x1 < LEAST_SIDE || y2 - y1 < LEAST_SIDE) { this.box.hidden = true; return; }
      this.toggle(false);
      this.cut(x1, y1, x2, y2).then((part) => { if (part) this.done(part); else this.refuse(); });
    };
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", stop);
  }

  refuse() {
    this.toggle(true);
    this.hint.textContent = this.labels.region_blocked;
  }

  // Null where the storage of the library does not allow its pictures to be read.
  async cut(x1, y1, x2, y2) {
    try {
      return this.drawn(this.video, x1, y1, x2, y2);
    } catch (error) {
      if (error.name !== "SecurityError") throw error;
      const copy = await this.readable();
      return copy && this.drawn(copy, x1, y1, x2, y2);
    }
  }

  drawn(video, x1, y1, x2, y2) {
    const { videoWidth: w, videoHeight: t } = video;
    const [width, height] = [(x2 - x1) * w, (y2 - y1) * t];
    const scale = Math.min(1, REGION_SIDE / Math.max(width, height));
    const canvas = h("canvas", { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) });
    canvas.getContext("2d").drawImage(video, x1 * w, y1 * t, width, height, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL("image/jpeg", 0.92).split(",")[1];
  }

  // A second video at the same moment, asked for with CORS: one from another origin plays without it, but is not readable.
  readable() {
    const copy = document.createElement("video");
    copy.crossOrigin = "anonymous";
    copy.muted = true;
    return new Promise((resolve) => {
      copy.onloadedmetadata = () => { copy.currentTime = this.video.currentTime; };
      copy.onseeked = () => resolve(copy);
      copy.onerror = () => resolve(null);
      // Another link: the browser may have kept the answer to a request without CORS, which it would refuse now.
      copy.src = `${this.video.currentSrc}?cors`;
    });
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
  }
}

ICONS.region = ["M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M9 9h6v6H9z"];
