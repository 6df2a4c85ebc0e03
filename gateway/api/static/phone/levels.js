/** Loudness of media streams, 100 times a second. */

const EVERY_MS = 10;

/** 512 samples are 11 ms at 48 kHz: neighbouring windows leave no gap. */
const WINDOW = 512;

export const SILENCE_DB = -100;

export class Levels {
  #context = new AudioContext({ latencyHint: "interactive" });
  #taps = new Map();
  #samples = new Float32Array(WINDOW);
  #timer;

  /** `each(now, levels)`: levels in dB of full scale by name. */
  constructor(each) {
    this.#timer = setInterval(() => each(performance.now(), this.#measure()), EVERY_MS);
  }

  listen(name, stream) {
    const tap = new AnalyserNode(this.#context, { fftSize: WINDOW });
    this.#context.createMediaStreamSource(stream).connect(tap);
    this.#taps.set(name, tap);
  }

  async close() {
    clearInterval(this.#timer);
    await this.#context.close();
  }

  #measure() {
    const levels = {};
    for (const [name, tap] of this.#taps) {
      tap.getFloatTimeDomainData(this.#samples);
      let sum = 0;
      for (const sample of this.#samples) sum += sample * sample;
      levels[name] = Math.max(SILENCE_DB, 10 * Math.log10(sum / WINDOW));
    }
    return levels;
  }
}
