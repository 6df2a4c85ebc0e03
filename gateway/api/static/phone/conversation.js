/** Everything that lives as long as one call, and what the page shows of it. */

import { Call } from "./call.js";
import { Levels, SILENCE_DB } from "./levels.js";
import { $, RefusedError, show } from "./page.js";
import { Quality } from "./quality.js";
import { TurnTable } from "./turn_table.js";
import { EventClock, TurnClock } from "./turns.js";

const STATS = "gateway.stats";
const TUNE = "gateway.tune";

export class Conversation {
  #call;
  #transcript;
  #ended;
  #levels = null;
  #quality = null;
  #turns = new TurnClock();
  #events = new EventClock();
  #table = new TurnTable($("turns"));
  #drawn = 0;
  #muted = false;
  #held = false;
  #reports = true;

  /** `ended(conversation)` is called once, after the call is over. */
  constructor(key, transcript, ended) {
    this.#call = new Call(key);
    this.#transcript = transcript;
    this.#ended = ended;
    this.#call.addEventListener("answered", () => this.#answered());
    this.#call.addEventListener("connected", () => this.#connected());
    this.#call.addEventListener("said", (event) => this.#said(event.detail));
    this.#call.addEventListener("ended", (event) => this.#over(event.detail));
  }

  /** Whether the gateway took the call. `refused(status)` is asked for help when it did not. */
  async dial(whom, refused = () => {}) {
    try {
      await this.#call.dial(whom);
      return true;
    } catch (error) {
      if (error instanceof RefusedError) refused(error.status);
      this.#over(explain(error), { trouble: true });
      return false;
    }
  }

  hangUp() {
    this.#call.hangUp();
  }

  /** The gateway has ended it; `why` as a sentence. */
  end(why) {
    this.#call.end(why);
  }

  press(digit) {
    this.#call.press(digit);
    this.#transcript.note(`You press ${digit}`);
  }

  set muted(muted) {
    this.#muted = muted;
    this.#call.muted = this.#muted || this.#held;
  }

  set held(held) {
    this.#held = held;
    this.#call.muted = this.#muted || this.#held;
  }

  /** Playing begins here, for a browser takes its time to open the loudspeaker. */
  #answered() {
    $("far").srcObject = this.#call.far;
  }

  #connected() {
    if (this.#levels !== null) return; // again, after an interruption of the network
    this.#levels = new Levels((now, levels) => this.#heard(now, levels));
    this.#levels.listen("own", this.#call.own);
    this.#levels.listen("far", this.#call.far);
    this.#quality = new Quality(
      () => this.#call.stats(),
      (summary, sums) => this.#measured(summary, sums),
    );
    show("Connected.");
  }

  #heard(now, levels) {
    const { own = SILENCE_DB, far = SILENCE_DB } = levels;
    for (const found of this.#turns.update(now, own, far)) {
      this.#table.add(found.kind, found.ms);
    }
    if (now - this.#drawn < 80) return;
    this.#drawn = now;
    $("own-level").value = own;
    $("far-level").value = far;
  }

  #said(event) {
    if (event.type === "error" && event.error.event_id === STATS) {
      // Whoever is at the other end does not take them.
      this.#reports = false;
      return;
    }
    if (event.type === TUNE) {
      this.#call.tune(event).catch((error) => console.warn("the bitrate stays as it is", error));
      return;
    }
    this.#transcript.handle(event);
    const ms = this.#events.update(performance.now(), event.type);
    if (ms !== null) this.#table.add("reported", ms);
  }

  #measured(summary, sums) {
    $("lost").textContent = figure(summary.lost_percent, "%");
    $("concealed").textContent = figure(summary.concealed_percent, "%");
    $("jitter").textContent = figure(summary.jitter_ms, "ms");
    $("rtt").textContent = figure(summary.rtt_ms, "ms");
    $("codec").textContent = summary.codec || "–";
    if (this.#reports && sums !== null) this.#call.send({ type: STATS, event_id: STATS, ...sums });
  }

  #over(why, { trouble = false } = {}) {
    this.#levels?.close();
    this.#quality?.close();
    $("far").srcObject = null;
    $("own-level").value = $("far-level").value = SILENCE_DB;
    show(why, { trouble });
    this.#ended(this);
  }
}

function explain(error) {
  if (error instanceof RefusedError) return `The gateway refuses the call: ${error.message}`;
  if (error.name === "NotAllowedError") return "The microphone may not be used: allow it for this page.";
  if (error.name === "NotFoundError") return "There is no microphone.";
  return `The call failed: ${error.message}`;
}

function figure(value, unit) {
  return value === null ? "–" : `${value} ${unit}`;
}
