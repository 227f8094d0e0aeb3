// On pages without the drop zone: how far the uploads of this tab are. It also gets them new tokens.

class UploadsIndicator {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.showsList = false;
    this.uploads = uploads();
    this.rail = h("span", { class: "fill" });
    this.words = h("span", { class: "words" });
    this.card = h("button", { class: "card", type: "button", hidden: true }, icon("upload"), this.words, h("span", { class: "rail" }, this.rail));
    this.card.onclick = () => this.out.send("library", null, true);
    host.append(this.card);
  }

  update(data) {
    this.data = data;
    this.uploads.attach(this, data);
  }

  askForToken() {
    if (!this.uploads.hasList) this.out.send("token", null, true);
  }

  paintUploads() {
    this.paintShares();
  }

  paintShares() {
    if (!this.data) return;
    const { files, share } = this.uploads.progress;
    const failed = this.uploads.jobs.filter((job) => job.state === "failed").length;
    const known = this.uploads.jobs.filter((job) => job.state === "known").length;
    this.card.hidden = this.uploads.hasList || !(files || failed || known);
    if (this.card.hidden) return;
    const l = this.data.labels;
    const parts = [];
    if (files) parts.push(`${fillText(files === 1 ? l.indicator_one : l.indicator_other, { n: files })} · ${percentText(share)}`);
    if (failed) parts.push(fillText(l.indicator_failed, { n: failed }));
    if (known && !files) parts.push(l.indicator_known);
    this.words.textContent = parts.join(" · ");
    this.card.classList.toggle("failed", failed > 0);
    this.rail.parentElement.hidden = !files;
    this.rail.style.width = `${share * 100}%`;
  }

  destroy() {
    this.uploads.detach(this);
  }
}

export default function (component) {
  return mount(component, UploadsIndicator);
}
