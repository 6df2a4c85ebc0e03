/** Silence at once when the gateway has stopped, although the browser still holds some of what it said. */

/** So often it is looked whether what was held is over. */
const LOOK_MS = 5;

/** A decoder's last echo of it. */
const TAIL_MS = 20;

/** Without a word from the statistics of playing the sound comes back after this. */
const LONGEST_MS = 400;

/** RTP timestamps count modulo 2^32; whether `played` is not beyond `end`. */
export function isBefore(played, end) {
  return ((end - played) | 0) >= 0;
}

export class Hush {
  #receiver;
  #timer = 0;

  /** `receiver`: an RTCRtpReceiver. */
  constructor(receiver) {
    this.#receiver = receiver;
  }

  /** What comes up to this RTP timestamp is not to be heard; what follows is. */
  until(end) {
    if (!this.#holds(end)) return;
    const began = performance.now();
    clearInterval(this.#timer);
    this.#receiver.track.enabled = false;
    let over = 0;
    this.#timer = setInterval(() => {
      const now = performance.now();
      if (over === 0 && !this.#holds(end)) over = now;
      if ((over > 0 && now - over >= TAIL_MS) || now - began >= LONGEST_MS) this.release();
    }, LOOK_MS);
  }

  /** Let everything be heard. */
  release() {
    clearInterval(this.#timer);
    this.#receiver.track.enabled = true;
  }

  /** Whether sound from before `end` is being played; a browser that does not say plays on. */
  #holds(end) {
    const [source] = this.#receiver.getSynchronizationSources?.() ?? [];
    return source?.rtpTimestamp !== undefined && isBefore(source.rtpTimestamp, end);
  }
}
