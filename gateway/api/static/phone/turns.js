/**
 * Turn taking as it is heard: from the loudness of both sides to latencies. Pure; the caller brings the time.
 *
 * A side speaks from its first loud moment to its last one, when it then stays quiet for `PAUSE_MS`.
 * An answer is the other side's first sound after one's own last one; an interruption lasts from one's own
 * first sound to the other side's last one, if it stops within `GIVES_WAY_MS`.
 */

export const LOUD_DB = -45;
export const PAUSE_MS = 300;
export const GIVES_WAY_MS = 1500;

class Side {
  speaking = false;
  since = 0;
  last = -Infinity;

  /** "begins", "ends" or "" */
  update(now, loud) {
    if (loud) {
      this.last = now;
      if (this.speaking) return "";
      this.speaking = true;
      this.since = now;
      return "begins";
    }
    if (!this.speaking || now - this.last < PAUSE_MS) return "";
    this.speaking = false;
    return "ends";
  }
}

export class TurnClock {
  #own = new Side();
  #far = new Side();
  #unanswered = false;
  #interruption = null;

  /** Levels in dB of full scale at `now` (ms); returns what has become known, at most one of each kind. */
  update(now, ownDb, farDb) {
    const found = [];
    const own = this.#own.update(now, ownDb > LOUD_DB);
    const far = this.#far.update(now, farDb > LOUD_DB);
    if (own === "begins") {
      this.#unanswered = true;
      if (this.#far.speaking && far === "") this.#interruption = now;
    }
    if (far === "ends") {
      if (this.#interruption !== null && this.#far.last >= this.#interruption) {
        const ms = this.#far.last - this.#interruption;
        if (ms <= GIVES_WAY_MS) found.push({ kind: "interruption", ms });
      }
      this.#interruption = null;
    }
    if (far === "begins" && this.#unanswered && this.#own.last < now) {
      this.#unanswered = false;
      found.push({ kind: "answer", ms: now - this.#own.last });
    }
    return found;
  }
}

/** The same answer as the gateway's events tell it: end of speech until its audio begins. */
export class EventClock {
  #stopped = null;

  /** Milliseconds, or null if this event does not complete a turn. */
  update(now, type) {
    if (type === "input_audio_buffer.speech_stopped") this.#stopped = now;
    if (type !== "output_audio_buffer.started" || this.#stopped === null) return null;
    const ms = now - this.#stopped;
    this.#stopped = null;
    return ms;
  }
}
