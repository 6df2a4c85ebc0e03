/** Draws attention to a call: a sound, the page's title, and a notification where it is allowed. */

const ON_S = 1;
const EVERY_S = 3;
const TONES_HZ = [440, 480];
const LOUDNESS = 0.12;

export class Ringer {
  #context = null;
  #source = null;
  #notification = null;
  #title = document.title;

  /** Call this in answer to a click or key: browsers give sound and notifications only then. */
  async prepare() {
    this.#context ??= new AudioContext();
    await this.#context.resume();
  }

  async askToNotify() {
    if (!("Notification" in window) || Notification.permission !== "default") return;
    await Notification.requestPermission();
  }

  get silent() {
    return this.#context?.state !== "running";
  }

  start(who) {
    this.stop();
    document.title = `☎ ${who}`;
    this.#notify(who);
    if (this.#context === null) return;
    // One looped buffer: timers of a page in the background are held back.
    this.#source = new AudioBufferSourceNode(this.#context, { buffer: this.#cadence(), loop: true });
    this.#source.connect(this.#context.destination);
    this.#source.start();
  }

  stop() {
    document.title = this.#title;
    this.#notification?.close();
    this.#notification = null;
    this.#source?.stop();
    this.#source = null;
  }

  #notify(who) {
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    try {
      this.#notification = new Notification("Incoming call", { body: who, tag: "call", requireInteraction: true });
      this.#notification.addEventListener("click", () => window.focus());
    } catch (error) {
      // Phones' browsers have the constructor but don't let pages use it.
      console.info("no notification", error);
    }
  }

  #cadence() {
    const rate = this.#context.sampleRate;
    const buffer = new AudioBuffer({ length: EVERY_S * rate, sampleRate: rate });
    const samples = buffer.getChannelData(0);
    const on = ON_S * rate;
    const ramp = 0.01 * rate;
    for (let at = 0; at < on; at += 1) {
      const fade = Math.min(1, at / ramp, (on - at) / ramp);
      let sum = 0;
      for (const hz of TONES_HZ) sum += Math.sin((2 * Math.PI * hz * at) / rate);
      samples[at] = LOUDNESS * fade * sum;
    }
    return buffer;
  }
}
