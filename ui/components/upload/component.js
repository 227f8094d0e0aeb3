// Drop zone. Each video is one XHR with its progress. Subtitles are matched to videos by name and sent first.

const VIDEO = /\.(mp4|m4v|mov|avi|mkv|webm)$/i;
const MAX_DESCRIPTION = 1000; // it is sent in a header
const SUBTITLES = /\.(srt|vtt|ass|ssa|smi|sami|ttml|dfxp|itt|sub)$/i;

const stem = (name) => name.replace(/\.[^.]+$/, "").normalize("NFC").toLowerCase();

// Of several videos, the one whose name a subtitle file has, or begins with ("Trip.ko.srt" of "Trip.mp4"); the longest.
function videoOf(file, jobs) {
  const own = stem(file.name);
  const fits = (job) => { const name = stem(job.file.name); return own === name || (own.startsWith(name) && /[ ._()[\]-]/.test(own[name.length])); };
  return jobs.filter(fits).sort((a, b) => b.file.name.length - a.file.name.length)[0];
}

class Upload {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.jobs = [];
    this.running = null;
    this.input = h("input", { type: "file", multiple: true, hidden: true, accept: ".mp4,.m4v,.mov,.avi,.mkv,.webm,.srt,.vtt,.ass,.ssa,.smi,.sami,.ttml,.dfxp,.itt,.sub,video/*" });
    this.input.onchange = () => { this.add([...this.input.files]); this.input.value = ""; };
    this.strong = h("span", { class: "strong" });
    this.choose = h("button", { class: "choose", type: "button" });
    this.choose.onclick = () => this.input.click();
    this.hint = h("span", { class: "muted" });
    this.zone = h("div", { class: "zone" }, icon("upload"), h("div", { class: "words" }, this.strong, " ", this.choose, " ", this.hint));
    this.welcome = h("div", { class: "welcome", hidden: true });
    this.list = h("div", { class: "list", "aria-live": "polite" });
    this.title = h("input", { type: "text", class: "field" });
    this.description = h("textarea", { class: "field", rows: 2, maxlength: MAX_DESCRIPTION });
    this.language = h("select", { class: "field" });
    this.summary = h("summary", null);
    this.captions = { title: h("span"), language: h("span"), description: h("span") };
    this.more = h("details", { class: "more" }, this.summary, h("div", { class: "fields" },
      h("label", null, this.captions.title, this.title), h("label", null, this.captions.language, this.language),
      h("label", { class: "long" }, this.captions.description, this.description)));
    host.append(this.input, this.zone, this.more, this.list, this.welcome);
    this.wire();
  }

  wire() {
    let depth = 0;
    const over = (on) => this.zone.classList.toggle("over", on);
    this.zone.ondragenter = (event) => { event.preventDefault(); depth += 1; over(true); };
    this.zone.ondragover = (event) => event.preventDefault();
    this.zone.ondragleave = () => { depth -= 1; if (depth <= 0) { depth = 0; over(false); } };
    this.zone.ondrop = (event) => { event.preventDefault(); depth = 0; over(false); this.add([...event.dataTransfer.files]); };
    this.onLeave = (event) => { if (this.running) event.preventDefault(); };
    window.addEventListener("beforeunload", this.onLeave);
  }

  update(data) {
    const l = data.labels;
    this.data = data;
    this.strong.textContent = l.drop;
    this.choose.textContent = l.choose;
    this.hint.textContent = l.hint;
    this.paintFields(data);
    this.zone.classList.toggle("large", Boolean(data.welcome));
    this.welcome.hidden = !data.welcome;
    if (data.welcome) this.welcome.replaceChildren(h("div", { class: "big" }, data.welcome.title), h("div", { class: "muted" }, data.welcome.text));
    if (this.waitingForToken && data.token !== this.staleToken) {
      const job = this.waitingForToken;
      this.waitingForToken = null;
      this.start(job);
    }
    this.paint();
  }

  paintFields(data) {
    const l = data.labels;
    this.summary.textContent = l.more;
    this.captions.title.textContent = l.title;
    this.captions.description.textContent = l.description;
    this.captions.language.textContent = l.language;
    this.title.placeholder = l.title_hint;
    this.title.maxLength = data.max_title;
    this.description.placeholder = l.description_hint;
    const key = JSON.stringify(data.languages);
    if (this.languageKey === key) return;
    const chosen = this.languageKey ? this.language.value : data.language;
    this.languageKey = key;
    this.language.replaceChildren(...data.languages.map(({ code, name }) => h("option", { value: code, selected: code === chosen }, name)));
  }

  // The details for the files that have just been chosen. The language is kept for the next ones.
  takeDetails(isSingle) {
    const found = { description: this.description.value.trim(), language: this.language.value, title: isSingle ? this.title.value.trim() : "" };
    this.description.value = "";
    if (isSingle) this.title.value = "";
    return found;
  }

  add(files) {
    const subtitles = files.filter((file) => SUBTITLES.test(file.name));
    const videos = files.filter((file) => !SUBTITLES.test(file.name));
    const details = videos.length ? this.takeDetails(videos.length === 1) : {};
    for (const file of videos) {
      const job = { file, ...details, state: "waiting", share: 0, subtitles: [] };
      if (file.size > this.data.max_bytes) this.fail(job, { message: fillText(this.data.labels.too_large, { name: file.name }), hint: this.data.labels.limit });
      this.jobs.push(job);
    }
    const unmatched = [];
    for (const file of subtitles) {
      // Subtitles chosen together with one video belong to it, whatever their names. The server takes one of them.
      const single = videos.length === 1 ? this.jobs[this.jobs.length - 1] : null;
      const job = videoOf(file, this.jobs.filter((other) => other.state === "waiting")) || single;
      if (job) job.subtitles.push(file); else unmatched.push(file);
    }
    for (const file of unmatched) {
      this.jobs.push({ file, state: "failed", share: 0, error: { message: fillText(this.data.labels.unmatched, { name: file.name }), hint: this.data.labels.unmatched_hint } });
    }
    this.paint();
    this.next();
  }

  fail(job, error) {
    job.state = "failed";
    job.error = error;
  }

  next() {
    if (this.running || this.waitingForToken) return;
    const job = this.jobs.find((other) => other.state === "waiting");
    if (job) this.start(job);
  }

  async start(job) {
    this.running = job;
    job.state = "sending";
    this.paint();
    try {
      const headers = { "X-Language": job.language };
      if (job.title) headers["X-Title"] = encodeURIComponent(job.title);
      if (job.description) headers["X-Description"] = encodeURIComponent(job.description);
      const tokens = [];
      for (const file of job.subtitles) tokens.push((await this.post(job, file, "subtitles", {})).subtitles);
      if (tokens.length) headers["X-Subtitles"] = tokens.join(",");
      const { video } = await this.post(job, job.file, "video", headers);
      job.state = "done";
      job.video = video;
      this.out.send("added", video.video_id);
      setTimeout(() => { this.jobs = this.jobs.filter((other) => other !== job); this.paint(); }, 1500);
    } catch (problem) {
      this.handleFailure(job, problem);
    }
    this.running = null;
    this.paint();
    if (!this.waitingForToken) this.next();
  }

  handleFailure(job, problem) {
    if (job.state === "cancelled") {
      this.jobs = this.jobs.filter((other) => other !== job);
    } else if (problem.code === "LINK_EXPIRED" && !job.renewed) {
      // The page has been open longer than the token is valid: ask for a new one and start again.
      job.renewed = true;
      job.state = "waiting";
      this.waitingForToken = job;
      this.staleToken = this.data.token;
      this.out.send("token", null, true);
    } else {
      this.fail(job, problem);
    }
  }

  post(job, file, part, headers) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      job.request = request;
      request.open("POST", this.data.url);
      request.responseType = "json";
      request.setRequestHeader("X-Upload-Token", this.data.token);
      request.setRequestHeader("X-Part", part);
      request.setRequestHeader("X-File-Name", encodeURIComponent(file.name.normalize("NFC")));
      request.setRequestHeader("Content-Type", "application/octet-stream");
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.upload.onprogress = (event) => {
        if (part === "video" && event.lengthComputable) { job.share = event.loaded / event.total; this.paintShare(job); }
      };
      request.upload.onload = () => { if (part === "video") { job.state = job.state === "sending" ? "checking" : job.state; this.paint(); } };
      const lost = () => reject({ message: this.data.labels.lost, hint: this.data.labels.lost_hint });
      request.onerror = lost;
      request.onabort = () => reject({ code: "ABORTED" });
      request.onload = () => {
        const body = request.response;
        if (request.status === 201 && body) resolve(body);
        else if (body && body.error) reject(body.error);
        else lost();
      };
      request.send(file);
    });
  }

  cancel(job) {
    const before = job.state;
    job.state = "cancelled";
    if (job.request && (before === "sending" || before === "checking")) job.request.abort();
    else this.jobs = this.jobs.filter((other) => other !== job);
    this.paint();
  }

  paintShare(job) {
    if (!job.fill) return;
    job.fill.style.width = `${Math.round(job.share * 100)}%`;
    job.percent.textContent = `${Math.round(job.share * 100)} %`;
  }

  paint() {
    const l = this.data.labels;
    this.list.replaceChildren(...this.jobs.filter((job) => job.state !== "cancelled").map((job) => {
      const name = h("div", { class: "name" }, job.file.name, ...job.subtitles.map((file) => h("span", { class: "muted" }, ` + ${file.name}`)));
      if (job.state === "failed") {
        const dismiss = h("button", { class: "btn", type: "button" }, l.dismiss);
        dismiss.onclick = () => { this.jobs = this.jobs.filter((other) => other !== job); this.paint(); };
        return h("div", { class: "job failed", role: "alert" }, h("div", { class: "info" }, name,
          h("div", { class: "problem" }, job.error.message), h("div", { class: "muted" }, job.error.hint)), dismiss);
      }
      job.fill = h("span", { class: "fill" });
      job.percent = h("span", { class: "percent mono" });
      const cancel = h("button", { class: "btn", type: "button" }, l.cancel);
      cancel.onclick = () => this.cancel(job);
      const row = h("div", { class: `job ${job.state}` }, h("div", { class: "info" }, name,
        h("div", { class: "row progress" }, h("span", { class: "muted" }, l[job.state]), h("span", { class: "rail" }, job.fill), job.percent)),
      job.state === "done" ? "" : cancel);
      if (job.state === "done" || job.state === "checking") job.share = 1;
      this.paintShare(job);
      return row;
    }));
  }

  destroy() {
    window.removeEventListener("beforeunload", this.onLeave);
    if (this.running && this.running.request) this.running.request.abort();
  }
}

export default function (component) {
  return mount(component, Upload);
}
